"""What the front end says after a failure of Snakemake itself."""

import run_study
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


def test_the_reason_is_said_although_snakemake_indents_it():
    progress = Progress(Costs({}, {}, {}, {}), 2)
    for line in SAID.splitlines():
        progress.read(line)
    why, is_user = run_study.explain(progress)
    assert "UnresolvedImport: write_report.py: `from ripeness.report import page`" in why and not is_user
    assert "line 82" not in why
