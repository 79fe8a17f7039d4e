"""Snakemake's plugin, as pinned, submits a job that SLURM has refused for a while; SLURM is played by scripts."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import ENVIRONMENT
from waiting import MOMENT_SECONDS

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"
SNAKEFILE = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from ripeness.workflow.snakemake_patches import slurm_submission
slurm_submission.FIRST_WAIT_S = 0.1
slurm_submission.quote_python()

onstart:
    slurm_submission.be_patient(workflow.scheduler)

rule grow:
    output: "grown"
    shell: "echo grown > grown"
"""
PROFILE = {
    "executor": "slurm",
    "default-resources": {"slurm_partition": "gpu", "slurm_account": "none", "mem_mb": 100, "runtime": 10},
    "slurm-no-account": True,
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 2,
    "jobs": 2,
    "latency-wait": 5,
}
PROGRAMS = {
    # takes the third job it is asked for, and runs it at once
    "sbatch": """#!/bin/sh
cd "$PLAYED"; echo asked >> calls; n=$(wc -l < calls)
[ $n = 1 ] && { echo "sbatch: error: AssocMaxSubmitJobLimit" >&2; exit 1; }
[ $n = 2 ] && { echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1; }
for word; do case $word in --wrap=*) command=${word#--wrap=};; esac; done
touch job.$n
cd "$OLDPWD"
export SLURM_JOB_ID=$n
setsid sh -c "$command"'; echo $? > "$PLAYED/ended.$SLURM_JOB_ID"' >"$PLAYED/said" 2>&1 </dev/null &
echo $n
""",
    "squeue": """#!/bin/sh
cd "$PLAYED"
for job in job.*; do
    n=${job#job.}; state=RUNNING
    [ -e ended.$n ] && { [ "$(cat ended.$n)" = 0 ] && state=COMPLETED || state=FAILED; }
    case "$*" in *'%i|%T'*) [ -e "$job" ] && echo "$n|$state";; esac
done
true
""",
    "srun": '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n',
    "scontrol": '#!/bin/sh\necho "MinJobAge               = 600 sec"\n',
    "sacctmgr": "#!/bin/sh\necho none\n",
    "sinfo": "#!/bin/sh\n",
    "scancel": "#!/bin/sh\n",
}


def test_a_job_that_is_refused_for_a_while_is_submitted_once_it_is_taken(tmp_path):
    for folder in ("bin", "played", "profile"):
        (tmp_path / folder).mkdir()
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "profile" / "config.yaml").write_text(yaml.safe_dump(PROFILE))
    environment = ENVIRONMENT | {
        "PATH": f"{tmp_path / 'bin'}:{ENVIRONMENT['PATH']}",
        "PLAYED": str(tmp_path / "played"),
    }
    (tmp_path / "a python").symlink_to(sys.prefix)
    python = tmp_path / "a python" / "bin" / Path(sys.executable).name
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [python, "-m", "snakemake", "--profile", "profile"], cwd=tmp_path, env=environment, stdout=said,
            stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        status = process.wait(MOMENT_SECONDS)
    finally:
        process.kill()
    text = (tmp_path / "said").read_text()
    assert status == 0, text + (tmp_path / "played" / "said").read_text()
    assert (tmp_path / "grown").read_text() == "grown\n"
    assert (tmp_path / "played" / "calls").read_text() == "asked\n" * 3
    assert text.count("not submitted yet: sbatch: error: ") == 2 and "SLURM jobid 3 " in text
    assert "Error in rule" not in text
