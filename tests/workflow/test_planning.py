"""What planning works out once is worked out anew where it can change."""

import os
import subprocess
import sys
from pathlib import Path

from waiting import HANG_SECONDS

SCRIPTS = Path(__file__).parents[2] / "scripts"
SNAKEFILE = f"""
import gc, sys
from pathlib import Path
sys.path.insert(0, {str(SCRIPTS)!r})
from ripeness.workflow.snakemake_patches.plan_cache import PATCH
PATCH.while_reading(workflow, Path("logs"))

onstart:
    PATCH.at_start(workflow, Path("logs"))
    print("garbage is looked for:", gc.isenabled())

rule grow:
    output: "grown"
    retries: 1
    resources: mem_mb=lambda wildcards, attempt: 100 * attempt
    shell: "test {{resources.mem_mb}} = 200 && touch {{output}}"
"""


def test_a_job_that_is_tried_again_shows_the_command_that_it_runs(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--printshellcmds"]
    run = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "grown").exists()
    said = run.stdout + run.stderr
    first, second = (said.index(f"test {memory} = 200") for memory in (100, 200))
    assert first < second
    assert "garbage is looked for: True" in said
