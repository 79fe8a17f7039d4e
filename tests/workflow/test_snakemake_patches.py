"""Each change to Snakemake does in a run what it is for; without it Snakemake does what the change is there for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cut_study import CUT, Study
from waiting import HANG_SECONDS, wait_for

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"
HEAD = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(SCRIPTS)!r})
from ripeness.workflow.snakemake_patches import register
from ripeness.workflow.snakemake_patches.plain_paths import PlainPath
from ripeness.workflow.snakemake_patches.warm import start
if IS_WARM:  # a server for one program: to look through all of them takes seconds
    start.start_all = lambda *_, **__: start.start(["json"], ["program.py"])
else:
    register.PATCHES = [patch for patch in register.PATCHES if patch.id != "warm_starts"]
register.while_reading(workflow, Path("logs"))

onstart:
    register.at_start(workflow, Path("logs"))
    print("open jobs:", len(workflow.scheduler.open_jobs), "hub:", workflow.scheduler.global_resources.get("hub"))
"""
CHECK_AND_TRAIN = """
rule all:
    input: "fetched", "trained"

rule train_model:
    output: "trained"
    priority: 10
    shell: "test -f fetched && touch before; touch {output}"

rule fetch_dataset:
    output: "fetched"
    shell: "sleep 1; FETCH && touch {output}"
"""
MANY = """
rule all:
    default_target: True
    input: expand("made/{n}", n=range(60))

rule make:
    output: "made/{n}"
    shell: "touch {output}"
"""


def snakemake(folder, snakefile, *options, plain=False, is_warm=False):
    (folder / "Snakefile").write_text(f"IS_WARM = {is_warm}\n{HEAD}{snakefile}")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--scheduler", "greedy", *options]
    environment = os.environ | {
        "RIPENESS_PLAIN": "1" if plain else "",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("plain", [False, True])
def test_an_expensive_job_waits_for_a_check_that_runs(tmp_path, plain):
    status, said = snakemake(tmp_path, CHECK_AND_TRAIN.replace("FETCH", "true"), plain=plain)
    assert status == 0, said
    assert (tmp_path / "before").exists() is not plain


@pytest.mark.parametrize("plain", [False, True])
def test_nothing_expensive_starts_after_a_check_that_failed(tmp_path, plain):
    status, said = snakemake(tmp_path, CHECK_AND_TRAIN.replace("FETCH", "false"), "--keep-going", plain=plain)
    assert status == 1, said
    assert (tmp_path / "trained").exists() is plain


@pytest.mark.parametrize("plain", [False, True])
def test_few_of_many_jobs_are_weighed_and_few_downloads_run_at_once(tmp_path, plain):
    status, said = snakemake(tmp_path, MANY, plain=plain)
    assert status == 0, said
    assert ("open jobs: 60 hub: None" if plain else "open jobs: 54 hub: 2") in said, said
    assert len(list((tmp_path / "made").iterdir())) == 60


@pytest.mark.parametrize("plain", [False, True])
def test_a_path_with_braces_is_a_path(tmp_path, plain):
    (tmp_path / "a {b} <c>").write_text("text")
    rule = """
rule copy:
    input: lambda wildcards: [PlainPath("a {b} <c>")]
    output: "copied"
    shell: "cp {input:q} {output}"
"""
    status, said = snakemake(tmp_path, rule, plain=plain)
    if plain:
        assert status == 1 and "c" in said, said
    else:
        assert status == 0 and (tmp_path / "copied").read_text() == "text", said


@pytest.mark.parametrize("plain", [False, True])
def test_jobs_find_the_python_that_starts_warm(tmp_path, plain):
    rule = 'rule look:\n    output: "found"\n    shell: "command -v python >{output}"\n'
    status, said = snakemake(tmp_path, rule, plain=plain, is_warm=True)
    assert status == 0, said
    assert ((tmp_path / "found").read_text().strip() == str(SCRIPTS / "warm/python")) is not plain


@pytest.mark.release
def test_another_version_of_snakemake_plans_the_same_without_patches_and_says_so_once(first_run, tmp_path):
    study = Study(tmp_path / "a study")
    planned = study.planned()
    patch = study.folder / "scripts/ripeness/workflow/snakemake_patches/patch.py"
    text = patch.read_text()
    patch.write_text(text.replace('"snakemake": "9.27.1"', '"snakemake": "9.26.0"'))
    assert patch.read_text() != text
    assert study.planned() == planned
    said = study.snakemake("-n", "-q").stderr
    assert said.count("warning: snakemake 9.27.1 is installed, 9.26.0 is expected") == 1, said
    finished = Study.copy(first_run, tmp_path / "finished")
    (finished.folder / patch.relative_to(study.folder)).write_text(patch.read_text())
    assert not finished.planned()


@pytest.mark.release
def test_plain_snakemake_gives_the_same_files(tmp_path):
    """Every table, weight, record and finding of a cut of the cut study, byte for byte."""
    studies = {plain: Study(tmp_path / f"a study {plain}") for plain in ("", "1")}
    for plain, study in studies.items():
        config = yaml.safe_load(CUT.read_text())
        config["series"]["nursery"]["checkpoints"] = [{"step": 0}, {"step": 100}]
        config |= {"datasets": {"nursery-sentiment": {}}, "formats": ["default"]}
        config["suites"]["transfer"]["datasets"] = ["nursery-sentiment"]
        study.write(config)
        done = study.snakemake("--scheduler", "greedy", environment={"RIPENESS_PLAIN": plain})
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning: snakemake" not in done.stderr
        servers = list((study.folder / "results/cut/logs").glob("warm_*.usage.json"))
        assert bool(servers) is not bool(plain)
    patched, plain = (study.digests() for study in studies.values())
    assert patched == plain and {"findings.json", "tables/measurements.parquet"} <= plain.keys()


LATE = """
rule late:
    output: "made"
    shell: "touch begun; setsid sh -c 'while [ ! -e may ]; do sleep 0.1; done; touch made' >/dev/null 2>&1 &"
"""


def test_a_run_that_waits_for_a_late_file_ends_once_it_is_asked_to(tmp_path):
    (tmp_path / "Snakefile").write_text(f"IS_WARM = False\n{HEAD}{LATE}")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--latency-wait", "10"]
    log = tmp_path / "said.txt"
    with log.open("w") as said, subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=said) as run:
        try:
            wait_for(lambda: "for missing files" in log.read_text() or run.poll() is not None)
            run.terminate()
            (tmp_path / "may").touch()
            assert run.wait(HANG_SECONDS) in (0, 1), log.read_text()  # 1 where the file came too late
        finally:
            run.kill()
