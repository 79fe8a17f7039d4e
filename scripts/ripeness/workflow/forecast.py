"""What a study will cost: seconds of a job, from its operations and from jobs that have run, and disk.

Where no job for a GPU has run, seconds follow from a stated throughput. One cell is enough to do better: its seconds an
operation count for all jobs of its kind. The report shows how well that would have done.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ripeness.runtime.files import read_json
from ripeness.study.grid import Cell, Study, plan_cells, probes_of, recipe_on
from ripeness.study.methods.reading import on_dataset
from ripeness.study.methods.register import KINDS
from ripeness.study.trainings import longest_chain, references, training_of, trainings
from ripeness.workflow.lookups.keep import kept_choices
from ripeness.workflow.lookups.shared import to_json
from ripeness.workflow.operations import PHOTOGRAPH_MB, gpu_jobs, n_items_of, n_parameters, n_pictures, picture_mb
from ripeness.workflow.resources import FLOPS
from ripeness.workflow.usage_logs import LOST

PRETRAINING = ("pretrain_state", "pretrain_checkpoint")
# of rules that do the same work
KIND = dict.fromkeys(PRETRAINING, "pretraining") | dict.fromkeys(("keep_best", "anneal_checkpoint"), "train_model")
START_SECONDS = 30.0  # of a job's start, where nothing has run
CHEAP_SECONDS = 2.0  # of a job that needs no GPU, where none has run
MOMENT_BYTES, WEIGHT_BYTES = 8, 4  # of a number that is trained: both moments in fp32; of one that is saved
CELL_BYTES, ITEM_BYTES = 80_000, 100  # of small files with their logs and records, and of an item; measured


def operations_of(study: Study) -> dict[str, dict[str, int]]:
    """Return {rule: {place: operations}} of every job for a GPU."""
    found: dict[str, dict[str, int]] = {}
    for rule, place, operations in gpu_jobs(study):
        found.setdefault(rule, {})[place] = operations
    return found


def mean_operations(study: Study) -> dict[str, float]:
    """Compute the mean operations of a job of every rule for a GPU."""
    means = {rule: mean(jobs.values()) for rule, jobs in operations_of(study).items()}
    return means | ({"keep_best": means["train_model"]} if means else {})


def pretraining_in_turn(study: Study, jobs: dict[str, int], seconds: dict[str, float]) -> float:
    """Estimate the seconds of the pre-training among `jobs` (numbers by rule) that no further GPU shortens.

    States go one after the other, and then the longest checkpoint; one with a run of its own is all of that run.
    """
    states, checkpoints = (jobs.get(rule, 0) * seconds.get(rule, 0.0) for rule in PRETRAINING)
    if not checkpoints:
        return states
    operations = operations_of(study)[PRETRAINING[1]].values()
    longest = seconds[PRETRAINING[1]] * max(operations) / max(1.0, mean(operations))
    return states + min(longest, checkpoints)


def calibration_cell(study: Study) -> Cell:
    """Choose the cell that is run first to calibrate the forecast: tuned, at the first trained checkpoint.

    One that takes steps and reads no other model, where there is any.
    """
    tuned = [cell for cell in plan_cells(study) if cell.method != "base"]
    trained = [c for c in tuned if study.checkpoints[c.series][c.checkpoint].get("step") != 0] or tuned
    recipes = {cell: recipe_on(study, cell.method, cell.dataset) for cell in trained}
    alone = (c for c, recipe in recipes.items() if KINDS[recipe["kind"]].takes_steps and not references(recipe))
    return next(alone, trained[0])


def calibration(study: Study) -> str:
    """Return what the report needs to forecast from one cell (JSON): mean operations by rule, and the cell's own."""
    if not study.recipes:  # published numbers
        return to_json({})
    cell, operations = calibration_cell(study), operations_of(study)
    places = {"train_model": training_of(study, cell).path, "predict": cell.path}
    for rule in PRETRAINING:
        trained = [place for place, n in operations.get(rule, {}).items() if n and place.split("/")[0] == cell.series]
        places |= {rule: trained[0]} if trained and rule == PRETRAINING[0] else {}
    jobs = {rule: {place: operations[rule][place]} for rule, place in places.items()}
    return to_json({"cell": cell.path, "jobs": jobs, "operations": mean_operations(study)})


def seconds_used(logs: Path, rule: str, place: str) -> float | None:
    """Return the seconds of a finished job, including the start of its interpreter; None if it has not run."""
    path = logs / rule / f"{place}.usage.json"
    if not path.is_file() or not path.stat().st_size:  # of a job that failed Snakemake leaves an empty file
        return None
    usage = read_json(path, dict, keys=("wall_s", "startup_cpu_s"), advice=LOST)
    return usage["wall_s"] + usage["startup_cpu_s"]


def seconds_a_job(
    operations: dict[str, float],
    jobs: dict[str, dict[str, int]],
    logs: Path,
    *,
    flops: float = FLOPS,
    start_seconds: float = START_SECONDS,
) -> dict[str, float]:
    """Estimate the seconds of a job of every rule for a GPU, from its mean `operations`.

    Those of `jobs` ({rule: {place: operations}}) that have run say how many seconds an operation takes: jobs of the
    same kind if there are any, else all others, else the stated throughput.
    """
    used: dict[str, list[tuple[float, int]]] = {}
    for rule, places in jobs.items():
        for place, n_operations in places.items():
            if n_operations and (seconds := seconds_used(logs, rule, place)) is not None:
                used.setdefault(KIND.get(rule, rule), []).append((seconds, n_operations))
    rates = {kind: sum(s for s, _ in done) / sum(n for _, n in done) for kind, done in used.items()}
    found: dict[str, float] = {}
    for rule, average in operations.items():
        if rates:
            found[rule] = average * rates.get(KIND.get(rule, rule), mean(rates.values()))
        else:
            found[rule] = start_seconds + average / flops
    return found


def forecast_against_use(usage: list[dict[str, Any]], calibration: dict[str, Any], logs: Path) -> list[dict[str, Any]]:
    """Make rows of the report: the forecast from one cell for the GPU jobs that ran, next to what they used."""
    prices = seconds_a_job(calibration["operations"], calibration["jobs"], logs)
    rows = [
        {
            "stage": row["stage"],
            "jobs": row["jobs"],
            "forecast_s": row["jobs"] * prices[row["stage"]],
            "used_s": row["wall_s"] + row["startup_cpu_s"],
        }
        for row in usage
        if row["stage"] in prices
    ]
    if rows:
        total = {key: sum(row[key] for row in rows) for key in ("jobs", "forecast_s", "used_s")}
        rows.append({"stage": "all for a GPU", **total})
    return rows


def disk_bytes(study: Study, n_at_once: int) -> dict[str, float]:
    """Return bytes at most, by what uses them, with so many jobs at once."""
    sizes = [n_parameters(study, series, name) for series, names in study.checkpoints.items() for name in names]
    largest, cells = max(sizes, default=0), plan_cells(study)
    tuned = [recipe_on(study, cell.method, cell.dataset) for cell in trainings(study)]
    best = [on_dataset(study.settings.methods[method], dataset) for *_, dataset, method in kept_choices(study)]
    choices: dict[str, Sequence[Mapping[str, Any]]] = {"none": [], "all": tuned, "best": best}
    kept = choices[study.settings.keep_models]
    n_items = sum(n_items_of(study, probe) for cell in cells for probe in probes_of(study, cell))
    largest_state = max((state_size(settings, largest) for settings in tuned), default=0)
    waiting = n_at_once * (longest_chain(study) - 1)  # starts, which stay until all that read them are tuned
    of_training = WEIGHT_BYTES * largest + (WEIGHT_BYTES + MOMENT_BYTES) * largest_state
    return {
        "checkpoints": WEIGHT_BYTES * sum(sizes),
        "tuned models at once": (min(n_at_once + waiting, len(tuned)) + 2) * of_training,
        "tuned models kept": WEIGHT_BYTES * sum(state_size(settings, largest) for settings in kept),
        **({"pictures": picture_bytes(study)} if study.settings.pictures else {}),
        "tables and logs": CELL_BYTES * len(cells) + ITEM_BYTES * n_items,
    }


def picture_bytes(study: Study) -> float:
    """Return the bytes of pictures: their rows, and the states of each dataset and view, or the pictures again."""
    shown = [name for name, task in study.tasks.items() if task.image]
    is_drawn = "pretrain" in (study.settings.pictures or {})
    rows = 0.0 if is_drawn else sum(n_pictures(study, name) * PHOTOGRAPH_MB for name in shown)
    return 2**20 * (rows + sum(picture_mb(study, name) for name in shown))


def state_size(settings: Mapping[str, Any], n_parameters: int) -> int:
    """Return the numbers that a tuned model keeps of a model of so many parameters."""
    return KINDS[settings["kind"]].state_size(settings, n_parameters)
