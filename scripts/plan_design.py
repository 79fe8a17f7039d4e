"""Say what designs of a study could detect and cost, before anything runs.

By hand: python scripts/plan_design.py --study studies/mine.yaml --detect 0.05 --pilot results/mine

The variance comes from a finished study (--pilot), which may be of one checkpoint, else from stated standard
deviations. Levels are tried at one, two and four times those of the study; only designs that no cheaper one beats are
listed.
"""

from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path

from ripeness.findings.finding import Settings, settings_from
from ripeness.findings.looks import percent, read_looks
from ripeness.findings.pilot import in_words, pilot_deviations
from ripeness.runtime.command_line import argument_parser, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.stats.designs import (
    Design,
    Deviations,
    at_worst,
    cheapest,
    detectable,
    from_row,
    sizes_around,
    worth_showing,
)
from ripeness.stats.larger_studies import Size, Spread
from ripeness.stats.random_levels import Component
from ripeness.study.grid import Study, plan_cells
from ripeness.study.load import load_study
from ripeness.study.own_claims import settings_alone
from ripeness.study.schema import read_yaml
from ripeness.study.written_claims import LOOKS
from ripeness.workflow.forecast import mean_operations, operations_of, seconds_a_job
from ripeness.workflow.gpus import GPUS, TYPICAL, named_gpu
from ripeness.workflow.operations import n_items_of, probes_of
from ripeness.workflow.snakemake_call import ROOT

CLAIMS = 5  # on scores, which Holm's correction counts


def size_of(study: Study) -> Size:
    """Count the levels of a study: items of all datasets, seeds, checkpoints that are tuned, datasets."""
    tuned = [cell for cell in plan_cells(study) if cell.method != "base"]
    if not tuned:
        raise UserError("the study tunes no model, so there is no design to plan\nhint: add a method under `methods`")
    items = {
        probe.probe: n_items_of(study, probe)
        for cell in tuned
        for probe in probes_of(study, cell)
        if probe.probe == cell.dataset and probe.split == "test"
    }
    return Size(
        items=max(sum(items.values()), 1),
        seeds=len({cell.seed for cell in tuned}),
        checkpoints=len({(cell.series, cell.checkpoint) for cell in tuned}),
        datasets=len({cell.dataset for cell in tuned}),
    )


def work_of(study: Study, logs: Path, *, gpu: str) -> dict[str, tuple[int, float]]:
    """Count the jobs of every rule for a GPU, and estimate the seconds of one."""
    operations = operations_of(study)
    seconds = seconds_a_job(mean_operations(study), operations, logs, flops=TYPICAL * named_gpu(gpu).flops)
    return {rule: (len(places), seconds[rule]) for rule, places in operations.items()}


def cost_of(work: dict[str, tuple[int, float]], own: Size, size: Size) -> tuple[int, float]:
    """Count jobs and GPU hours of a design, from those of the study.

    Trainings grow with checkpoints, datasets and seeds, predictions with items as well, all else with checkpoints.
    """
    items, seeds, checkpoints, datasets = (new / old for new, old in zip(size, own, strict=True))
    jobs, total = 0.0, 0.0
    for rule, (n_own, seconds) in work.items():
        is_cell = rule in ("train_model", "predict")
        n_jobs = n_own * checkpoints * (datasets * seeds if is_cell else 1)
        jobs += n_jobs
        total += n_jobs * seconds * (items if rule == "predict" else 1)
    return round(jobs), total / 3600


def pilot_spread(results: Path, claim: str | None) -> tuple[Spread, str] | None:
    """Read the parts of the variance of a claim from a finished study; None where no claim has them, as in a small one.

    UserError for what is not there.
    """
    path = results / "findings.json"
    if not path.is_file():
        raise UserError(f"--pilot: there is no {path}\nhint: name the folder of a finished study, such as results/mine")
    found = {row["id"]: row["variance"] for row in read_json(path, list) if row.get("variance")}
    if not found and not claim:
        return None
    if not found:
        raise UserError(
            f"--claim: no claim in {path} has the parts of its variance\n"
            "hint: leave --claim out, and the scatter of items, seeds and datasets is measured"
        )
    name = claim or next(iter(found))
    if name not in found:
        raise UserError(f"--claim: {name!r} has no variance in {path}\nhint: known are {', '.join(found)}")
    return from_row(found[name]), name


def line(design: Design, own: Size, mark: str) -> str:
    """Write one row of the table; items are those of each dataset."""
    is_possible = design.detectable is not None and design.detectable <= 1  # of scores
    effect = f"{design.detectable:.3f}" if is_possible else "–"
    size = design.size._replace(items=round(design.size.items / own.datasets))
    numbers = "".join(f"{number:>13,}" for number in size)
    return f"{numbers}{effect:>12}{design.jobs:>10,}{design.hours:>12.2f}  {mark}".rstrip()


def main(argv: list[str] | None = None) -> None:
    """Print the table of designs."""
    options = read_options(argv)
    study = load_study(read_yaml(options.study), ROOT / "tasks")
    settings = settings_from(settings_alone(study.config["findings"]))
    if not options.detect > settings.smallest_effect:
        raise UserError(
            f"--detect: {options.detect:g} is not above the smallest that matters, {settings.smallest_effect:g}\n"
            "hint: name a larger effect, or lower findings.smallest_effect in the study"
        )
    size = size_of(study)
    spread, worst = variance_of(options, size)
    results = Path("results") / study.settings.study
    level, said = level_of(settings, results)
    level, smallest = level / options.claims, settings.smallest_effect
    work = work_of(study, results / "logs", gpu=options.gpu)
    designs = [
        Design(other, detectable(spread, other, smallest=smallest, level=level), *cost_of(work, size, other))
        for other in sizes_around(size)
    ]
    marked = print_table(designs, size, options.detect)
    print(
        f"detectable: the true effect at which 80 % of such studies support a claim of more than {smallest:g}, "
        f"with {options.claims} claims tested, {said}"
    )
    if worst:
        at_most = detectable(worst, marked.size, smallest=smallest, level=level)
        print(caution(marked, at_most, named="now" if marked == designs[0] else "marked"))


def caution(design: Design, at_most: float | None, *, named: str) -> str:
    """Say how far off a design may be, since a pilot has few datasets."""
    said = "no effect, however large," if at_most is None else f"only effects from {at_most:.3f} on"
    return (
        "The pilot's datasets show their scatter roughly. One pilot in five finds so little of it by chance that the "
        f"design {named!r} detects {said} in place of {design.detectable or float('nan'):.3f}."
    )


def level_of(settings: Settings, results: Path) -> tuple[float, str]:
    """Return the level of the look that a run of the study would be, and say which that is.

    UserError where all looks that were planned are used.
    """
    look = len(read_looks(results / LOOKS)) + 1
    level = settings.level_at(look)
    if not level:
        raise UserError(
            f"all {settings.looks} looks that were planned (`findings: {{looks: ...}}`) are used, so that no design "
            f"decides anything\nhint: {results / LOOKS} has them; a study with another name starts at the first look"
        )
    return level, f"at look {look}, which decides at {percent(level)}"


def read_options(argv: list[str] | None) -> Namespace:
    """Read the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="the study's config")
    parser.add_argument("--detect", type=float, default=0.05, help="the true effect to be found, in score")
    parser.add_argument("--pilot", type=Path, help="folder of a finished study, for the variance")
    parser.add_argument("--claim", help="whose variance is taken from the pilot; default: the first")
    parser.add_argument("--contrast", choices=["mean", "classes"], default="mean", help="without a pilot: of what")
    parser.add_argument("--gpu", default="H100", help=f"whose hours, where nothing has run: {', '.join(GPUS)}")
    parser.add_argument("--claims", type=int, default=CLAIMS, help="claims that Holm's correction counts")
    for entry in fields(Deviations):
        parser.add_argument(f"--{entry.name}-sd", type=float, default=entry.default, help="without a pilot, in score")
    return parser.parse_args(argv)


def variance_of(options: Namespace, own: Size) -> tuple[Spread, Spread | None]:
    """Take the variance from a pilot, or from stated deviations, and say which.

    The second one is that with as much scatter of datasets as the pilot may have hidden by chance; None where it
    measured none.
    """
    is_difference = options.contrast == "classes"
    deviations = {entry.name: getattr(options, f"{entry.name}_sd") for entry in fields(Deviations)}
    if options.claims < 1 or min(deviations.values()) < 0 or deviations["items"] == 0:
        raise UserError("--claims must be 1 or more, deviations 0 or more, and that of items above 0")
    if options.pilot and (known := pilot_spread(options.pilot, options.claim)):
        spread, name = known
        print(f"variance: that of {name} in {options.pilot}")
        return spread, replace(spread, datasets=at_worst(spread.datasets))
    if options.pilot:
        measured, source, n_datasets = pilot_deviations(options.pilot)
        deviations |= measured
        print(f"variance: standard deviations of {source}: {in_words(deviations, list(measured))}")
        spread = Deviations(**deviations).spread(own, is_difference=is_difference)
        if "datasets" not in measured:
            return spread, None
        largest = at_worst(Component(deviations["datasets"] ** 2, n_datasets - 1)).variance ** 0.5
        return spread, Deviations(**deviations | {"datasets": largest}).spread(own, is_difference=is_difference)
    said = ", ".join(f"{name} {value:g}" for name, value in deviations.items())
    print(f"variance: stated standard deviations ({said}); better from a finished study: --pilot")
    return Deviations(**deviations).spread(own, is_difference=is_difference), None


def print_table(designs: list[Design], own: Size, wanted: float) -> Design:
    """Print the study as it is and the designs that no cheaper one beats, the cheapest that finds an effect marked.

    Returns the marked one, or the study as it is where none finds the effect.
    """
    best, now = cheapest(designs, wanted), designs[0]
    heads = "".join(f"{head:>13}" for head in ("items each", "seeds", "checkpoints", "datasets"))
    print(f"{heads}{'detectable':>12}{'jobs':>10}{'GPU hours':>12}")
    for one in [now, *[one for one in worth_showing(designs) if one != now]]:
        mark = f"cheapest that finds {wanted:g}" if one == best else "now" if one == now else ""
        print(line(one, own, mark))
    if best is None:
        print(f"no design up to four times as large in every level finds {wanted:g}")
    return best or now


if __name__ == "__main__":
    run(main)
