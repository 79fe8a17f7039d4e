"""Changes to Snakemake are all in one package, for one version, and can be left out."""

import ast
import hashlib
import importlib
import inspect
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.api import Workflow

from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.workflow.snakemake_patches import plain_paths
from ripeness.workflow.snakemake_patches.patch import PLAIN, SNAKEMAKE, installed
from ripeness.workflow.snakemake_patches.register import PATCHES, at_start, warning, while_reading

ROOT = Path(__file__).parents[4]
PACKAGE = ROOT / "scripts/ripeness/workflow/snakemake_patches"
SNAKEFILES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
# Of the source of what the patches rely on, in the versions that they were written for. Where one differs: read what
# has changed, adapt the patches that name it, run their tests, and write the new digest down.
SOURCES = {
    "snakemake.common:get_function_params": "ffd80f636452",
    "snakemake.common:overwrite_function_params": "25748b29ff76",
    "snakemake.dag:DAG.check_output_mtime": "c04c0ec688ad",
    "snakemake.dag:DAG.finish": "f857623aad45",
    "snakemake.dag:DAG.finished": "593b14b00f60",
    "snakemake.dag:DAG.is_running": "befddbda28e7",
    "snakemake.dag:DAG.needrun_jobs": "fb49d381caf9",
    "snakemake.dag:DAG.postprocess": "2fb7a9d77282",
    "snakemake.dag:DAG.postprocess_after_update": "ea2b8465d48d",
    "snakemake.dag:DAG.ready_jobs": "ec3031bd3643",
    "snakemake.dag:DAG.update_checkpoint_dependencies": "e93d59ddb9f6",
    "snakemake.dag:DAG.update_needrun": "2cc7fc071416",
    "snakemake.executors.local:Executor.run_single_job": "7e253527e554",
    "snakemake.io:IOFile": "bc6b9595c813",
    "snakemake.io:_IOFile": "734795c3662e",
    "snakemake.io:_IOFile.mtime_uncached": "e655385331b5",
    "snakemake.io:_IOFile.touch": "ab080b5bd1f4",
    "snakemake.jobs:GroupJob.jobs": "00bd0b13ad56",
    "snakemake.jobs:Job.benchmark": "4262dbb9c690",
    "snakemake.jobs:Job.cleanup": "3dae832da305",
    "snakemake.jobs:Job.is_valid": "74609fe12019",
    "snakemake.jobs:Job.log": "adb99722a13a",
    "snakemake.jobs:Job.log_info": "f24bb879faed",
    "snakemake.jobs:Job.missing_output": "1a98e312dbe4",
    "snakemake.jobs:Job.output_mintime": "b7b45c26508f",
    "snakemake.jobs:Job.postprocess": "6c242cdd6b93",
    "snakemake.jobs:Job.prepare": "fd2d63132961",
    "snakemake.jobs:Job.register": "426740ac8d2f",
    "snakemake.jobs:Job.shellcmd": "73ec1b845055",
    "snakemake.jobs:Reason.clear": "4123aae2878e",
    "snakemake.persistence:ParamsChange": "5bbe6e7e37c2",
    "snakemake.persistence:PersistenceBase.code_changed": "d80128a2ea34",
    "snakemake.persistence:PersistenceBase.has_metadata": "4aab50f9421d",
    "snakemake.persistence:PersistenceBase.has_outdated_metadata": "eea761814d77",
    "snakemake.persistence:PersistenceBase.input_changed": "da42b0227982",
    "snakemake.persistence:PersistenceBase.params_changed": "7f12dc9015f5",
    "snakemake.persistence:PersistenceBase.software_stack_changed": "e2830c5ef6e5",
    "snakemake.resources:Resource.evaluate": "3c11c1b2a9f5",
    "snakemake.rules:Rule._apply_wildcards": "a5d6444d1e4f",
    "snakemake.scheduling.greedy:Scheduler": "cc673296ad56",
    "snakemake.scheduling.greedy:SchedulerSettings": "62e7f0114c70",
    "snakemake.scheduling.job_scheduler:JobScheduler.__init__": "996627fdef14",
    "snakemake.scheduling.job_scheduler:JobScheduler.exit_gracefully": "71dc8bb2df12",
    "snakemake.scheduling.job_scheduler:JobScheduler.job_selector": "11a654075403",
    "snakemake.scheduling.job_scheduler:JobScheduler.open_jobs": "f479d4a6e889",
    "snakemake.scheduling.job_scheduler:JobScheduler.schedule": "9f32db93a39b",
    "snakemake.scheduling.job_scheduler:JobScheduler.update_available_resources": "065d86b81bfe",
    "snakemake.scheduling.job_scheduler:JobScheduler.validate_job": "44a54a09579a",
    "snakemake.shell:shell.__new__": "fe55e22c33ab",
    "snakemake.workflow:Workflow.is_main_process": "094efcdec2b7",
    "snakemake.workflow:Workflow.local_exec": "709b8731b064",
    "snakemake.workflow:Workflow.register_resource": "02c0cb662d30",
    "snakemake.workflow:Workflow.remote_exec": "db5243dae6ed",
    "snakemake_executor_plugin_slurm:Executor.check_active_jobs": "a15ec905e07e",
    "snakemake_executor_plugin_slurm:Executor.run_job": "d8a8af5d4605",
    "snakemake_executor_plugin_slurm:Executor.run_jobs": "237137067302",
    "snakemake_executor_plugin_slurm:Executor.shutdown": "67e48b94f0bc",
    "snakemake_executor_plugin_slurm:get_min_job_age": "26dc8de45ece",
    "snakemake_executor_plugin_slurm:query_job_status": "e0a595a37ef2",
    "snakemake_interface_executor_plugins.executors.remote:RemoteExecutor.cancel": "7f232b7a6371",
}


def source_of(name: str) -> str:
    module, path = name.split(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = inspect.getattr_static(found, part)
    return inspect.getsource(found.fget if isinstance(found, property) else found)


def digest_of(name: str) -> str:
    return hashlib.sha256(source_of(name).encode()).hexdigest()[:12]


def test_what_the_patches_rely_on_is_what_they_were_written_for():
    names = sorted({name for patch in PATCHES for name in patch.relies_on})
    assert {name: digest_of(name) for name in names} == SOURCES


def test_the_versions_are_those_that_a_study_installs():
    pinned = dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / "requirements.in").read_text(), re.MULTILINE))
    for patch in PATCHES:
        for package, version in patch.versions.items():
            assert pinned[package] == version == installed(package)
    assert f'min_version("{SNAKEMAKE["snakemake"].rpartition(".")[0]}")' in (ROOT / "Snakefile").read_text()


def test_each_module_of_the_package_is_one_patch():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {
        "__init__",
        "patch",
        "register",
        "slurm_polling",
    }  # a part of slurm_submission
    assert [patch.id for patch in PATCHES] == list(dict.fromkeys(patch.id for patch in PATCHES))
    assert {patch.id for patch in PATCHES} == modules


def test_the_page_says_what_each_patch_says():
    rows = [f"| `{p.id}` | {p.changes} | {p.reason} | {p.without} |" for p in PATCHES]
    lines = (ROOT / "docs/snakemake.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| `")] == rows


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_nothing_else_imports_snakemake_or_writes_to_its_workflow():
    for path in (ROOT / "scripts").rglob("*.py"):
        if PACKAGE not in path.parents:
            assert not [name for name in imports_of(path) if re.match(r"snakemake(\.|_|$)", name)], path
    for path in SNAKEFILES:
        text = path.read_text()
        assert re.findall(r"^\s*(?:from|import) (snakemake[\w.]*)", text, re.MULTILINE) in ([], ["snakemake.utils"]), (
            path
        )
        assert not re.search(r"\bworkflow(\.\w+)*\._|\bworkflow[\w.]* \|?= |\bworkflow\.register", text), path


def test_what_the_rules_read_of_the_workflow_is_there():
    names = {name for path in SNAKEFILES for name in re.findall(r"(?<![./\w])workflow\.(\w+)", path.read_text())}
    known = {
        "current_basedir",
        "config_settings",
        "configfiles",
        "is_main_process",
        "local_exec",
        "remote_exec",
        "scheduler",
        "storage_settings",
    }
    assert known == names
    # instance attributes are set in __init__
    source = inspect.getsource(Workflow)
    for name in names:
        assert hasattr(Workflow, name) or f"self.{name} = " in source or f"    {name}: " in source, name


@pytest.fixture
def other_version(monkeypatch):
    monkeypatch.setattr(
        "ripeness.workflow.snakemake_patches.register.PATCHES",
        tuple(replace(patch, written_for={"snakemake": "9.26.0"}) for patch in PATCHES),
    )


def test_another_version_leaves_every_patch_out_and_says_so_once(other_version, capsys):
    workflow = SimpleNamespace(is_main_process=True)  # a patch that is made would look for more
    while_reading(workflow, Path("logs"))
    at_start(workflow, Path("logs"))
    while_reading(SimpleNamespace(is_main_process=False), Path("logs"))
    said = capsys.readouterr().err
    assert said.count("warning: ") == 1 == said.count("snakemake 9.27.1 is installed, 9.26.0 is expected")
    assert all(f"  {patch.id}: {patch.without}\n" in said for patch in PATCHES)
    assert said.endswith(f"hint: install the versions of requirements.lock, or set {PLAIN}=1 to run without them\n")


def test_plain_snakemake_runs_without_a_warning(other_version, monkeypatch, capsys):
    monkeypatch.setenv(PLAIN, "1")
    while_reading(SimpleNamespace(is_main_process=True), Path("logs"))
    at_start(SimpleNamespace(), Path("logs"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value, is_made", [("1", False), ("yes", False), ("0", True), ("", True), (None, True)])
def test_patches_are_made_unless_the_environment_says_otherwise(monkeypatch, value, is_made):
    monkeypatch.delenv(PLAIN, raising=False)
    if value is not None:
        monkeypatch.setenv(PLAIN, value)
    assert [patch.is_made() for patch in PATCHES] == [is_made] * len(PATCHES) and not warning()


def test_a_package_that_is_not_installed_is_no_mismatch():
    assert not replace(PATCHES[0], written_for={"no-such-package": "1.0"}).mismatches()


def test_a_path_that_would_be_a_pattern_is_refused_without_its_patch(monkeypatch):
    config = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
    config["texts"]["web"] = {"path": "a {b}.txt"}
    config["suites"]["pretraining"]["texts"].append("web")
    study = load_study(config, ROOT / "tasks")
    plain_paths.check_study(study)
    (path,) = plain_paths.as_written(["a {b}.txt"])
    assert isinstance(path, plain_paths.PlainPath) and plain_paths.as_written("{b}") == "{b}"
    monkeypatch.setenv(PLAIN, "1")
    with pytest.raises(
        UserError, match=r"^texts.web: plain Snakemake takes .* in a {b}.txt for wildcards\nhint: rename"
    ):
        plain_paths.check_study(study)
    with pytest.raises(UserError, match="^input: plain Snakemake"):
        plain_paths.as_written(["a", "<c>"])
    assert plain_paths.as_written(["a", "b"]) == ["a", "b"]
