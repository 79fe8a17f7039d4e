"""Say what a study will cost before it runs: jobs, hours and disk, by rule. Nothing is run or fetched.

By hand: python scripts/forecast.py --study studies/x.yaml --gpus 8

Jobs are those that Snakemake would run now, so the forecast of a study with a new checkpoint is that of the new jobs.
Seconds a job follow from those that have run, else from --flops and --start-seconds; one cell is enough, and its path
is printed. Pre-training goes step after step, whatever the number of GPUs; only runs of their own go side by side.
"""

import re
import subprocess
from pathlib import Path

from ripeness.runtime.command_line import argument_parser, run
from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow.forecast import (
    CHEAP_SECONDS,
    START_SECONDS,
    calibration_cell,
    disk_bytes,
    mean_operations,
    operations_of,
    pretraining_in_turn,
    seconds_a_job,
)
from ripeness.workflow.resources import FLOPS
from ripeness.workflow.snakemake_call import ROOT, snakemake_command, snakemake_environment
from ripeness.workflow.usage_logs import usage_table


def planned_jobs(study: Path) -> dict[str, int]:
    """Count the jobs that Snakemake would run now, by rule."""
    command = snakemake_command(study, "-n", "-q", "rules")
    done = subprocess.run(command, capture_output=True, text=True, env=snakemake_environment(), check=False)
    if done.returncode:
        raise UserError(f"Snakemake cannot plan the study:\n{(done.stdout + done.stderr).strip()}")
    stats = (done.stdout + done.stderr).partition("Job stats:")[2].partition("\n\n")[0]
    jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)}
    return {rule: n for rule, n in jobs.items() if rule not in ("all", "total")}


def main(argv: list[str] | None = None) -> None:
    """Print the forecast."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="the study's config")
    parser.add_argument("--gpus", type=int, default=8, help="GPUs that work at once (without any: processors)")
    parser.add_argument(
        "--flops", type=float, default=FLOPS, help="operations a second of a GPU, where nothing has run"
    )
    parser.add_argument("--start-seconds", type=float, default=START_SECONDS, help="of a job, where nothing has run")
    options = parser.parse_args(argv)
    study = load_study(read_yaml(options.study), ROOT / "tasks")
    logs = Path("results") / study.settings.study / "logs"
    seconds = seconds_a_job(
        mean_operations(study), operations_of(study), logs, flops=options.flops, start_seconds=options.start_seconds
    )
    ran = {row["stage"]: (row["wall_s"] + row["startup_cpu_s"]) / row["jobs"] for row in usage_table(logs)}
    hours = {True: 0.0, False: 0.0}  # on a GPU or not
    print(f"{'rule':<22}{'jobs':>8}{'s a job':>10}{'GPU hours':>12}{'CPU hours':>12}")
    jobs = planned_jobs(options.study)
    for rule, n_jobs in jobs.items():
        price = seconds.get(rule, ran.get(rule, CHEAP_SECONDS))
        is_gpu = rule in seconds
        hours[is_gpu] += n_jobs * price / 3600
        place = f"{n_jobs * price / 3600:>12.3f}" if is_gpu else f"{'':>12}{n_jobs * price / 3600:>12.3f}"
        print(f"{rule:<22}{n_jobs:>8}{price:>10.1f}{place}")
    in_turn = pretraining_in_turn(study, jobs, seconds) / 3600
    wall = max(hours[True] / options.gpus, in_turn) + hours[False] / options.gpus
    print(f"{'all':<22}{sum(jobs.values()):>8}{'':>10}{hours[True]:>12.3f}{hours[False]:>12.3f}")
    print(f"\nabout {wall:.2f} hours with {options.gpus} at once, without waiting in the queue")
    if study.settings.published_cost is not None:
        print(f"published: {study.settings.published_cost}")
    sizes = disk_bytes(study, options.gpus)
    print(f"disk: {', '.join(f'{name} {size / 1e9:.2f} GB' for name, size in sizes.items())}")
    if study.recipes and not any(rule in ran for rule in ("train_model", "predict")):
        cell = f"results/{study.settings.study}/cells/{calibration_cell(study).path}/measurements.parquet"
        print(f"hours follow from {options.flops:g} operations a second; better after one cell: snakemake {cell}")


if __name__ == "__main__":
    run(main)
