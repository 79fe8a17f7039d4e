"""What the front end says after a failure of Snakemake itself."""

import pytest

import run_study
from ripeness.runtime.errors import UserError
from ripeness.workflow.study_progress import Progress
from ripeness.workflow.time_left import Costs

SAID = """\
Building DAG of jobs...
InputFunctionException in rule write_report in file "/a study/rules/report.smk", line 41:
Error:
  UnresolvedImport: write_report.py: `from ripeness.report import page` does not resolve to a file of the package
Wildcards:

Traceback:
  File "/a study/rules/common.smk", line 74, in digest
  File "/a study/scripts/ripeness/workflow/code_digest.py", line 73, in digest
  File "/a study/scripts/ripeness/workflow/code_digest.py", line 82, in digest_of
  File "/a study/scripts/ripeness/workflow/code_digest.py", line 169, in read_module
  File "/a study/scripts/ripeness/workflow/code_digest.py", line 243, in imports
  File "/a study/scripts/ripeness/workflow/code_digest.py", line 258, in target_of (rule write_report, line 73)"""


REFUSED = """\
Job stats:
job                   count
------------------  -------
write_report              1
total                     1

error: results/mine contains another study of this name, that of /a study/studies/mine.yaml
hint: give /a study/studies/other.yaml another name at `study:`; or move results/mine away"""


def said(text: str) -> tuple[str, bool]:
    progress = Progress(Costs({}, {}, {}, {}), 2)
    for line in text.splitlines():
        progress.read(line)
    return run_study.explain(progress)


def test_what_the_snakefile_refuses_is_an_error_of_the_user_alone():
    assert said(REFUSED) == ("\n".join(REFUSED.splitlines()[-2:]), True)


def test_a_second_run_in_a_folder_is_one_error_with_a_way_out():
    lines = "Working directory: /a study\nConfig MD5: 9a\nLockException:\nError: Directory cannot be locked."
    why, is_user = said(lines)
    assert why.startswith("another run is at work in ") and why.count("\n") == 1 and is_user
    assert "make unlock, or ripeness run STUDY -- --unlock" in why


def test_the_reason_is_said_although_snakemake_indents_it():
    why, is_user = said(SAID)
    assert "UnresolvedImport: write_report.py: `from ripeness.report import page`" in why and not is_user
    assert "line 82" not in why


def test_a_profile_says_what_one_job_may_use_and_the_shipped_one_is_there_or_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not run_study.has_profile(["-n", "results/profile"])
    for words in (["--profile", "slurm", "-n"], ["--profile=slurm"]):
        with pytest.raises(
            UserError, match=r"there is no profile slurm in .*\nhint: cp -r .*slurm\S* \. and set partition"
        ):
            run_study.has_profile(words)
    (tmp_path / "slurm").mkdir()
    assert run_study.has_profile(["--profile", "slurm"]) and run_study.has_profile(["--profile", "mine"])


def test_early_reports_are_for_studies_with_cells_on_a_machine_for_computing():
    assert run_study.has_early_reports(run_study.ROOT / "config.yaml", [])
    assert not run_study.has_early_reports(run_study.ROOT / "config.yaml", ["--profile", "/etc/site"])
    for name in ("theory", "published"):
        assert not run_study.has_early_reports(run_study.ROOT / f"studies/{name}.yaml", [])
