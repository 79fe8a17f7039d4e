"""Scores after tuning on nested doses of examples, and the dose that gives half of what the largest one gains."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from ripeness.findings.treated_curves import PLACE, in_trend
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import compared, scores

CELL = [*PLACE, "dataset", "format", "doses_of"]
AT_MOST, FOUND, NOT_LEARNED = "at most the smallest dose", "found", "the largest dose gains too little"
NOT_WHOLE = "a training is missing or diverged"


def dose_scores(measurements: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Collect a row for each cell of a dose: the score on its own dataset, and the `untouched` one before.

    A dose that starts from a tuned model is left out: what that model has gained is no gain of the dose.
    """
    from_checkpoint = cells.drop_nulls("doses_of").filter(pl.col("start").is_null())
    doses = from_checkpoint.select("method", "doses_of", "examples").unique()
    own = compared(scores(measurements)).filter(IS_OWN, pl.col("format") == pl.col("probe_format"))
    before = own.filter(method="base").group_by(*PLACE, "probe", "probe_format").agg(untouched=pl.col("value").mean())
    after = own.join(doses, on="method").join(before, on=[*PLACE, "probe", "probe_format"])
    return after.group_by(*CELL, "seed", "examples").agg(pl.col("value", "untouched").mean()).sort(*CELL, "seed")


def half_doses(found: pl.DataFrame, smallest_gain: float) -> pl.DataFrame:
    """Find for each cell and seed the dose of half of the gain: `log_dose` (base 2) and `how` it was found.

    The gain is that of the largest dose, on average over seeds, which all seeds share; a cell in which it is less than
    `smallest_gain` has no such dose, nor one that lacks a dose or a seed that others have: its half would be another.
    """
    rows, of_run = [], ["series", "dataset", "format", "doses_of"]
    n_planned = pl.col("examples").n_unique().over(of_run) * pl.col("seed").n_unique().over(of_run)
    trend = in_trend(found).with_columns(is_whole=pl.len().over(CELL) == n_planned)
    for (*cell,), part in trend.group_by(CELL, maintain_order=True):
        largest = part.filter(pl.col("examples") == part["examples"].max())
        gain = float(largest.select((pl.col("value") - pl.col("untouched")).mean()).item())
        for (seed,), own in part.group_by("seed", maintain_order=True):
            own = own.sort("examples")
            row: Mapping[str, object] = dict(zip(CELL, cell, strict=True)) | {"seed": seed, "gain": gain}
            if not part["is_whole"][0] or gain < smallest_gain:
                how = NOT_LEARNED if part["is_whole"][0] else NOT_WHOLE
                rows.append({**row, "log_dose": None, "how": how})
                continue
            target = float(own["untouched"][0]) + gain / 2
            place, how = crossing(np.log2(own["examples"].to_numpy()), own["value"].to_numpy(), target)
            rows.append({**row, "log_dose": place, "how": how})
    return pl.DataFrame(rows, schema_overrides={"log_dose": pl.Float64}, infer_schema_length=None)


def crossing(log_doses: np.ndarray, values: np.ndarray, target: float) -> tuple[float, str]:
    """Find where scores rise through a target, on a line in the log of the dose; the last such place.

    At most the smallest dose where that is above it already. The largest dose where this seed never gets there.
    """
    above = values >= target
    if above.all():
        return float(log_doses[0]), AT_MOST
    last = int(np.flatnonzero(~above)[-1])
    if last == len(values) - 1:
        return float(log_doses[-1]), FOUND
    share = (target - values[last]) / (values[last + 1] - values[last])
    return float(log_doses[last] + share * (log_doses[last + 1] - log_doses[last])), FOUND


def dose_caveats(found: pl.DataFrame) -> list[str]:
    """List caveats: cells that gain too little, doses that are smaller than the smallest one tried."""
    notes, counts = [], dict(found.group_by("how").len().iter_rows())
    if n := counts.get(NOT_LEARNED):
        notes.append(f"{n} of {found.height} cells are left out: the largest dose gains too little to halve.")
    if n := counts.get(NOT_WHOLE):
        notes.append(f"{n} of {found.height} cells are left out: a dose or a seed of theirs is missing or diverged.")
    if n := counts.get(AT_MOST):
        notes.append(
            f"In {n} of {found.height} cells the smallest dose gives more than half: it is taken for the dose."
        )
    return notes
