"""Say what a study will cost before it runs: jobs, hours and disk, by rule. Nothing is run or fetched.

By hand: python scripts/forecast.py --study studies/x.yaml --gpus 8

Jobs are those that Snakemake would run now, so the forecast of a study with a new checkpoint is that of the new jobs.
Seconds a job follow from those that have run, else from what is published of the GPU, of which a stated share is
reached; one cell is enough to do better, and its path is printed. All times are ranges. Pre-training goes step after
step, whatever the number of GPUs; only runs of their own go side by side.
"""

from argparse import Namespace
from pathlib import Path

from ripeness.runtime.command_line import argument_parser, run
from ripeness.study.grid import Study
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
    seconds_used,
)
from ripeness.workflow.gpus import GPUS, MEASURED, SHARES, named_gpu
from ripeness.workflow.planned_jobs import on_this_machine, planned_jobs
from ripeness.workflow.snakemake_call import ROOT
from ripeness.workflow.usage_logs import usage_table


def prices_of(study: Study, options: Namespace, logs: Path) -> tuple[list[dict[str, float]], bool]:
    """Estimate the seconds of a job for a GPU by rule, at least and at most; and say whether jobs have told."""
    mean, jobs = mean_operations(study), operations_of(study)
    if any(seconds_used(logs, rule, place) for rule, places in jobs.items() for place, n in places.items() if n):
        known = seconds_a_job(mean, jobs, logs)
        return [{rule: s * factor for rule, s in known.items()} for factor in (1 / MEASURED, MEASURED)], True
    peak = options.flops or named_gpu(options.gpu).flops
    flops = [peak] if options.flops else [peak * share for share in reversed(SHARES)]
    found = [seconds_a_job(mean, jobs, logs, flops=one, start_seconds=options.start_seconds) for one in flops]
    return [found[0], found[-1]], False


def basis(study: Study, options: Namespace, *, has_run: bool) -> str:
    """Say what the hours follow from."""
    if has_run:
        return f"hours follow from jobs of this study that have run, give or take a factor of {MEASURED:g}"
    cell = f"results/{study.settings.study}/cells/{calibration_cell(study).path}/measurements.parquet"
    better = f"better after one cell: ripeness run {options.study} -- {cell}"
    if options.flops:
        return f"hours follow from {options.flops:g} operations a second; {better}"
    gpu, (low, high) = named_gpu(options.gpu), SHARES
    return (
        f"hours follow from {options.gpu}: {gpu.flops / 1e12:,.0f} TFLOPS as published, of which {low:.0%} to "
        f"{high:.0%} are reached; {better}"
    )


def span(low: float, high: float) -> str:
    """Write a range of hours or kWh with two digits that count."""
    ends = [f"{value:,.0f}" if value >= 10 else f"{value:.2g}" for value in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def print_jobs(
    jobs: dict[str, int], prices: list[dict[str, float]], ran: dict[str, float]
) -> tuple[list[float], float]:
    """Print a line for each rule; return GPU hours, at least and at most, and CPU hours."""
    gpu, cpu = [0.0, 0.0], 0.0
    print(f"{'rule':<22}{'jobs':>8}{'s a job':>18}{'GPU hours':>18}{'CPU hours':>12}")
    for rule, n_jobs in jobs.items():
        if rule in prices[0]:
            hours = [n_jobs * price[rule] / 3600 for price in prices]
            gpu = [a + b for a, b in zip(gpu, hours, strict=True)]
            place = f"{span(*(price[rule] for price in prices)):>18}{span(*hours):>18}"
        else:
            seconds = ran.get(rule, CHEAP_SECONDS)
            cpu += n_jobs * seconds / 3600
            place = f"{seconds:>18.1f}{'':>18}{n_jobs * seconds / 3600:>12.3f}"
        print(f"{rule:<22}{n_jobs:>8}{place}")
    print(f"{'all':<22}{sum(jobs.values()):>8}{'':>18}{span(*gpu):>18}{cpu:>12.3f}")
    return gpu, cpu


def main(argv: list[str] | None = None) -> None:
    """Print the forecast."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="the study's config")
    parser.add_argument("--gpus", type=int, default=8, help="GPUs that work at once (without any: processors)")
    parser.add_argument("--gpu", default="H100", help=f"kind of GPU, where nothing has run: {', '.join(GPUS)}")
    parser.add_argument("--flops", type=float, help="instead of --gpu: operations a second that are reached")
    parser.add_argument("--start-seconds", type=float, default=START_SECONDS, help="of a job, where nothing has run")
    options = parser.parse_args(argv)
    study, gpu = load_study(read_yaml(options.study), ROOT / "tasks"), named_gpu(options.gpu)
    logs = Path("results") / study.settings.study / "logs"
    prices, has_run = prices_of(study, options, logs)
    ran = {row["stage"]: (row["wall_s"] + row["startup_cpu_s"]) / row["jobs"] for row in usage_table(logs)}
    jobs = planned_jobs(options.study)
    if not jobs:
        print("no cost: every result is there")
        return
    hours, cpu = print_jobs(jobs, prices, ran)
    in_turn = [pretraining_in_turn(study, jobs, price) / 3600 for price in prices]
    wall = [max(used / options.gpus, turn) + cpu / options.gpus for used, turn in zip(hours, in_turn, strict=True)]
    print(f"\nabout {span(*wall)} hours with {options.gpus} at once, without waiting in the queue")
    print(f"on this machine, without a GPU: {on_this_machine(study, jobs, logs)}")
    if hours[1] and not options.flops:
        energy = [used * gpu.watts / 1000 for used in hours]
        print(f"energy of the GPUs at most {span(*energy)} kWh, at {gpu.watts} W each ({options.gpu})")
    if study.settings.published_cost is not None:
        print(f"published: {study.settings.published_cost}")
    sizes = disk_bytes(study, options.gpus)
    print(f"disk: {', '.join(f'{name} {size / 1e9:.2f} GB' for name, size in sizes.items())}")
    if study.recipes:
        print(basis(study, options, has_run=has_run))


if __name__ == "__main__":
    run(main)
