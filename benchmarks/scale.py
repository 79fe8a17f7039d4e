"""What size costs: Snakemake with 500 to 10,000 cells, and tables of up to 10 million item rows.

Cells: a study of the nursery with ever more checkpoints, in a copy of the project. Timed are `snakemake -n` with
nothing done (the DAG), a whole run in which every program is replaced by a shell script that only makes its outputs
(what Snakemake, its shells and the scheduler cost a job), and `snakemake` again with everything done (the no-op). So
the tree and Snakemake's records are real, only the files are empty. Beside it the start of one job: `train_model.py
--help` in a fresh interpreter and in a child of the warm server.

Rows: the tables of benchmarks/invented.py, 38,400 rows a checkpoint; for collect_checkpoint all cells in one
checkpoint, 800 rows a cell. Each program runs in a process of its own; CPU seconds and peak memory are those that the
system counted for it. The first size has four checkpoints, the fewest for which all findings are computed.

"a unit" rows say how the cost of one job or row changes from the second largest size to the largest: 1 is linear.
"memory" rows compare the largest size with the smallest.
"""

import argparse
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import invented
import yaml
from study import PARTS, environment
from subjects import PROJECT, add_options
from timing import row

from ripeness.runtime.command_line import argument_parser
from ripeness.runtime.command_line import run as run_program
from ripeness.study.grid import plan_cells
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow.snakemake_patches.warm import start as warm

CELLS = (500, 2000, 10_000)
CHECKPOINTS = (4, 26, 260)  # of 38,400 item rows each
ROWS_A_CELL = 800
LINEAR, BOUNDED = "<= 1.2", "<= 3"
SCRIPTS = PROJECT / "scripts"
STAND_IN = Path(__file__).with_name("stand_in.sh")


# Linux counts the memory of the parent at the time of the start as a process's own; so a small parent stands between.
WATCHER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.call(sys.argv[2:])
wall, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    json.dump([used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024], file)
sys.exit(status)
"""


@dataclass(frozen=True)
class Used:
    """What a process and those that it waited for have used."""

    n: float  # jobs, or rows
    cpu_s: float
    wall_s: float
    peak_mb: float


def measured(command: list[str], folder: Path, n: float = 1) -> Used:
    """Run a command; RuntimeError with the end of what it said where it fails."""
    with tempfile.TemporaryFile("w+") as said, tempfile.NamedTemporaryFile("r") as usage:
        whole = [sys.executable, "-S", "-c", WATCHER, usage.name, *command]
        if subprocess.run(whole, cwd=folder, env=environment(), stdout=said, stderr=said, check=False).returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)[:500]} failed: {said.read()[-3000:]}")
        return Used(n, *json.load(usage))


def report(what: str, unit: str, size: str, found: list[Used], *, has_memory: bool = True) -> list[dict]:
    """Rows of one thing at all sizes, then how the cost of a unit grows, and memory."""
    rows = []
    for used in found:
        note = f"{used.wall_s:.1f} s on a clock, peak {used.peak_mb:.0f} MB, {used.cpu_s / used.n:.3g} CPU s a {unit}"
        rows.append(scale_row(f"{what}, {used.n:{size}} {unit}s", ours=used.cpu_s, unit="CPU s", note=note))
    if len(found) > 1:
        *_, other, last = found
        ratio = last.cpu_s / last.n / (other.cpu_s / other.n)
        rows.append(scale_row(f"{what}, cost a {unit}", unit="times", ratio=ratio, target=LINEAR))
    if len(found) > 1 and has_memory:
        ratio = found[-1].peak_mb / found[0].peak_mb
        note = f"with {found[-1].n / found[0].n:.0f} times the {unit}s"
        rows.append(scale_row(f"{what}, memory", unit="times", ratio=ratio, target=BOUNDED, note=note))
    return rows


def scale_row(
    setting: str, *, unit: str, ours: float | None = None, ratio: float | None = None, target: str = "", note: str = ""
) -> dict:
    """One line of the table; what is a ratio of our own sizes stands in both columns."""
    ours = ratio if ours is None else ours
    return row("scale", "none", setting, ours=ours, theirs=None, unit=unit, ratio=ratio, target=target, note=note)


def study_of(n_cells: int) -> dict:
    """The nursery with so many checkpoints that it has about this many cells."""
    config = read_yaml(PROJECT / "studies/nursery-full.yaml")
    config["methods"] = {name: config["methods"][name] for name in ("base", "full")}
    n_nursery = len(plan_cells(load_study(config, PROJECT / "tasks")))
    series = config["series"]["nursery"]
    n_checkpoints = max(1, round(n_cells * len(series["checkpoints"]) / n_nursery))
    series["checkpoints"] = [{"step": 8 * number} for number in range(n_checkpoints)]
    series["pretrain"]["n_tokens"] = 100_000 + 8 * 1024 * n_checkpoints
    return config | {"study": "scale"}


def workflow_costs(folder: Path, n_cells: int) -> dict[str, Used]:
    """DAG, run without work, and no-op of a study of this size."""
    folder.mkdir(parents=True)
    for part in [*PARTS, "task.schema.yaml"]:
        copy = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy
        copy(PROJECT / part, folder / part)
    (folder / "scripts" / "warm" / "python").write_bytes(STAND_IN.read_bytes())
    (folder / "study.yaml").write_text(yaml.safe_dump(study_of(n_cells)), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "2", "--scheduler", "greedy"]
    found = {"DAG": measured([*command, "-n", "-q", "rules"], folder), "run without work": measured(command, folder)}
    found["no-op"] = measured(command, folder)
    n_jobs = sum(1 for _ in (folder / "results" / "scale" / "logs").rglob("*.log"))
    logging.info("%d cells: %s", n_cells, found)
    shutil.rmtree(folder)
    return {name: Used(n_jobs, used.cpu_s, used.wall_s, used.peak_mb) for name, used in found.items()}


def workflow_rows(sizes: Sequence[int]) -> Iterator[dict]:
    """Rows on cells."""
    with tempfile.TemporaryDirectory(prefix="ripeness-benchmark-") as name:
        found = [workflow_costs(Path(name) / str(size), size) for size in sizes]
    for what in found[0]:
        yield from report(what, "job", ",.0f", [costs[what] for costs in found], has_memory=False)


def start_rows(repeats: int) -> Iterator[dict]:
    """Rows on the start of one job."""
    command = ["scripts/train_model.py", "--help"]
    cold = [measured([sys.executable, *command], PROJECT).wall_s for _ in range(repeats)]
    before = dict(os.environ)
    os.environ.update(environment() | warm.ONE_THREAD)  # jobs that have it otherwise than the server start plainly
    server = warm.start(warm.MODELS, ["train_model.py"])
    try:
        first = [str(SCRIPTS / "warm" / "python"), *command]
        measured(first, PROJECT)  # waits until the server has loaded its libraries
        started = [measured(first, PROJECT).wall_s for _ in range(4 * repeats)]
    finally:
        warm.stop(server)
        os.environ.clear()
        os.environ.update(before)
    warmed, plain = statistics.median(started), statistics.median(cold)
    note = "train_model.py --help; beside a fresh interpreter"
    yield row("scale", "none", "start of a job", ours=warmed, theirs=plain, unit="s", ratio=plain / warmed, target="",
              note=note)  # fmt: skip


def table_commands(tables: Path) -> dict[str, list[str]]:
    """The programs that read the tables of all checkpoints, in their order."""
    files = {name: [str(path) for path in sorted(tables.glob(f"{name}/*/*.parquet"))] for name in
             ("measurements", "cells", "items")}  # fmt: skip
    collected = [str(tables / "measurements.parquet"), str(tables / "cells.parquet")]
    commands = {
        "collect": ["collect.py", "--measurements", *files["measurements"], "--status", *files["cells"],
                    "--output-measurements", collected[0], "--output-cells", collected[1]],
        "judge_claims": ["judge_claims.py", "--measurements", collected[0], "--items", *files["items"],
                          "--output", str(tables / "findings.json")],
    }  # fmt: skip
    for figure in ("gain", "transfer"):
        commands[f"plot_figure {figure}"] = [
            "plot_figure.py", "--figure", figure, "--measurements", collected[0], "--cells", collected[1],
            "--items", *files["items"], "--output-spec", str(tables / "figure.json"),
            "--output-svg", str(tables / "figure.svg"), "--output-csv", str(tables / "figure.csv"),
        ]  # fmt: skip
    return commands


def collect_command(folder: Path, n_rows: int) -> list[str]:
    """Collect all rows as one checkpoint, in a folder beside the tables."""
    scores = invented.write_cells(folder / "cells", n_rows // ROWS_A_CELL)
    outputs = [word for name in ("items", "measurements", "status") for word in (f"--{name}", str(folder / name))]
    return ["collect_checkpoint.py", "--scores", *map(str, scores), *outputs]


def table_rows(sizes: Sequence[int]) -> Iterator[dict]:
    """Rows on tables."""
    found: dict[str, list[Used]] = {}
    for n_checkpoints in sizes:
        n_rows = n_checkpoints * invented.N_ROWS
        with tempfile.TemporaryDirectory(prefix="ripeness-benchmark-") as name:
            invented.write_study(Path(name), n_checkpoints)
            commands = {"collect_checkpoint": collect_command(Path(name) / "one", n_rows)} | table_commands(Path(name))
            for what, (program, *options) in commands.items():
                used = measured([sys.executable, str(SCRIPTS / program), *options], PROJECT, n_rows / 1e6)
                logging.info("%s, %d rows: %s", what, n_rows, used)
                found.setdefault(what, []).append(used)
    for what, costs in found.items():
        yield from report(what, "million row", ".3g", costs)


def run(options: argparse.Namespace) -> list[dict]:
    """All rows; --small takes the smallest size only."""
    cells = getattr(options, "cells", None) or ([50] if options.small else CELLS)
    checkpoints = CHECKPOINTS[:1] if options.small else CHECKPOINTS
    return [*start_rows(options.repeats), *table_rows(checkpoints), *workflow_rows(cells)]


def main() -> None:
    """Print the rows."""
    parser = argument_parser(__doc__)
    add_options(parser)
    parser.add_argument("--cells", type=int, nargs="+", help="numbers of cells, instead of 500, 2,000 and 10,000")
    for found in run(parser.parse_args()):
        print(found)


if __name__ == "__main__":
    run_program(main)
