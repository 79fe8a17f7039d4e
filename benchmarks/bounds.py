"""What must not take long, in seconds: tests say that it is right, here is how long it takes.

Seconds of a clock depend on the machine and on what else it does, so no test looks at them. The ratio is to the seconds
that are allowed on a quiet machine of two cores.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from scale import SCRIPTS, Used, measured, study_of
from study import PARTS, environment
from subjects import PROJECT, print_rows
from timing import row

from ripeness.workflow.snakemake_patches.warm import start as warm

CELLS = 2000
PLANNING_S, PYTHIA_S, WARM_CPU_S = 10, 60, 0.1
PYTHIA = PROJECT.parent / "shared/published/pythia"


def bound_row(setting: str, seconds: float | None, allowed: float, unit: str = "s", note: str = "") -> dict:
    """One line of the table; None is "not measured"."""
    ratio = None if seconds is None else seconds / allowed
    note = f"{allowed:g} {unit} are allowed{note and '; '}{note}"
    return row("bounds", "none", setting, ours=seconds, theirs=None, unit=unit, ratio=ratio, target="<= 1", note=note)


def planning(folder: Path, n_cells: int) -> Used:
    """Plan a study of about so many cells, of which none has run."""
    folder.mkdir(parents=True)
    for part in [*PARTS, "task.schema.yaml"]:
        copy = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy
        copy(PROJECT / part, folder / part)
    (folder / "study.yaml").write_text(yaml.safe_dump(study_of(n_cells)), encoding="utf-8")
    return measured([sys.executable, "-m", "snakemake", "-n", "-q", "rules", "--configfile", "study.yaml"], folder)


def published_trajectories(folder: Path) -> float | None:
    """Seconds of reading all published results of Pythia, their findings and figures; None where they are not."""
    if not PYTHIA.is_dir():
        return None
    test = PROJECT / "tests/programs/test_published_pythia.py"
    command = [sys.executable, "-m", "pytest", "-q", f"--basetemp={folder / 'pythia'}", str(test)]
    return measured(command, PROJECT).wall_s


def cpu_of_a_warm_start(folder: Path, libraries: Sequence[str], repeats: int) -> float:
    """CPU seconds that a job in a child of the warm server has used when its program begins, in the median."""
    (folder / "scripts").mkdir()
    code = "import os, time; print(time.process_time(), os.getppid())"
    (folder / "scripts" / "program.py").write_text(code, encoding="utf-8")
    before = dict(os.environ)
    os.environ.update(environment() | warm.ONE_THREAD)  # jobs that have it otherwise than the server start plainly
    server = warm.start(libraries, ["program.py"])
    try:
        command = [str(SCRIPTS / "warm" / "python"), "scripts/program.py"]
        said = [subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout for _ in range(repeats)]
    finally:
        warm.stop(server)
        os.environ.clear()
        os.environ.update(before)
    found = [line.split() for line in said]
    if any(int(parent) != server.process.pid for _, parent in found):
        raise RuntimeError("a job did not start warm")
    return statistics.median(float(seconds) for seconds, _ in found)


def rows(n_cells: int, repeats: int) -> Iterator[dict]:
    """All rows."""
    with tempfile.TemporaryDirectory(prefix="ripeness-benchmark-") as name:
        folder = Path(name)
        used = planning(folder / "plan", n_cells)
        yield bound_row(f"{n_cells:,} cells planned", used.wall_s, PLANNING_S, note=f"{used.cpu_s:.1f} CPU s")
        yield bound_row("published trajectories of Pythia", published_trajectories(folder), PYTHIA_S)
        seconds = cpu_of_a_warm_start(folder, warm.MODELS, 4 * repeats)
        yield bound_row("start of a warm job", seconds, WARM_CPU_S, unit="CPU s")


def run(options: argparse.Namespace) -> list[dict]:
    """All rows; --small plans few cells."""
    return list(rows(50 if options.small else CELLS, options.repeats))


if __name__ == "__main__":
    print_rows(run, __doc__)
