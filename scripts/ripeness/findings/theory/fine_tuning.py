"""Claims on fine-tuning: what a fixed rate costs, whether a tuned one or a pull towards the start helps.

A rise is from the best checkpoint to the last, relative to the best; for each seed the best one is that of the mean
over the other seeds, so that no seed's own chance makes a rise.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.finding import Finding, Settings, between, number, signed, undecided
from ripeness.findings.theory.shared import Tables, blank, grid, judged, known, over_seeds
from ripeness.stats.resampling import decide, decide_absence

RISE = "relative rise after the best checkpoint"

FIXED = blank(
    "fixed-rate-degrades",
    "At a fixed rate, pre-training loss after tuning rises past a point",
    "theory-fixed-rate",
    f"pre-training loss: {RISE}",
)
ALIGNED = blank(
    "tuned-rate-aligned",
    "A tuned rate removes the degradation for aligned tasks",
    "theory-tuned-rate",
    f"loss on the task: {RISE}",
)
ROTATED = blank(
    "tuned-rate-rotated",
    "A tuned rate does not remove the degradation for rotated tasks",
    "theory-tuned-rate",
    f"loss on the task: {RISE}",
)
DELAYS = blank(
    "pull-delays",
    "A pull towards the start delays the degradation",
    "theory-regularisation",
    "doublings of time to the best checkpoint",
)
NO_CURE = blank(
    "pull-does-not-cure",
    "A pull towards the start does not cure the degradation",
    "theory-regularisation",
    f"pre-training loss: {RISE}",
)


def decide_rise(low: float, high: float, *, smallest: float) -> str:
    """Read the verdict on the claim of a rise, which is 0 at least: contradicted where none that matters is left."""
    opposite = {"supported": "contradicted", "contradicted": "supported", "undecided": "undecided"}
    return opposite[decide_absence(low, high, smallest=smallest)]


def rises(values: np.ndarray) -> np.ndarray:
    """Relative rise from the best checkpoint to the last for every seed; the other seeds say which is best. [seeds]."""
    n = len(values)
    others = (values.sum(axis=0) - values) / (n - 1) if n > 1 else values
    best = others.argmin(axis=1)
    at_best = values[np.arange(n), best]
    return (values[:, -1] - at_best) / at_best


def turns(rows: pl.DataFrame, value: str) -> np.ndarray:
    """Time of the least value for every seed, [seeds]."""
    times = rows.select("checkpoint", "time").unique().sort("checkpoint")["time"].to_numpy()
    return times[grid(rows, value).argmin(axis=1)]


def series_of(rows: pl.DataFrame, key: list[str]) -> dict[tuple, pl.DataFrame]:
    """The rows of every series, in order; those in which a fine-tuning diverged are left out."""
    parts = rows.sort(key).partition_by(key, as_dict=True, maintain_order=True)
    return {name: part for name, part in parts.items() if not part["loss"].has_nulls()}


def left_out(rows: pl.DataFrame, key: list[str]) -> tuple[str, ...]:
    """A caveat on series that are left out."""
    n = rows.select(key).unique().height - len(series_of(rows, key))
    return (f"{n} series in which a fine-tuning diverged are left out.",) if n else ()


def shapes(details: list[dict], loss: str, rows: pl.DataFrame) -> str:
    """Say in how many series the best checkpoint lies between the first and the last."""
    first, last = rows["time"].min(), rows["time"].max()
    best = [row[f"{loss}_best_at_time"] for row in details]
    only_rise, only_fall = best.count(first), best.count(last)
    return (
        f"Of {len(best)} series {len(best) - only_rise - only_fall} have their best checkpoint in "
        f"between, {only_rise} at the first and {only_fall} at the last."
    )


def degradation(
    finding: Finding, rows: pl.DataFrame, settings: Settings, *, key: list[str], value: str, judge: Callable[..., str]
) -> Finding:
    """Judge the mean rise over all series; details have both losses and where each turns."""
    series = series_of(rows, key)
    finding = replace(finding, caveats=left_out(rows, key), n_checkpoints=rows["checkpoint"].n_unique())
    if not series:
        return undecided(finding, "the study has no such fine-tuning")
    details = []
    for name, part in series.items():
        row = dict(zip(key, name, strict=True))
        for loss in ("loss", "task_loss"):
            result = over_seeds(rises(grid(part, loss)), settings)
            row |= {f"{loss}_best_at_time": float(np.median(turns(part, loss))), f"{loss}_rise": result.effect}
            row |= {f"{loss}_low": number(result.low), f"{loss}_high": number(result.high)}
        details.append(row)
    own, other = value, "loss" if value == "task_loss" else "task_loss"
    mean = np.mean([rises(grid(part, own)) for part in series.values()], axis=0)
    by_target = {
        target: np.mean([row[f"{own}_rise"] for row in details if row["target"] == target])
        for target in dict.fromkeys(row["target"] for row in details)
    }
    names = {"loss": "pre-training loss", "task_loss": "loss on the task"}
    parts = ", ".join(f"{target} {signed(rise)}" for target, rise in by_target.items())
    result, second = over_seeds(mean, settings), float(np.mean([row[f"{other}_rise"] for row in details]))
    interval = "" if np.isnan(result.low) else f" {between(result.low, result.high)}"
    statement = (
        f"After its best checkpoint the {names[own]} rises by {signed(result.effect)} of itself{interval}: {parts}. "
        f"The {names[other]} rises by {signed(second)}."
    )
    finding = replace(finding, caveats=(*finding.caveats, shapes(details, own, rows)))
    finding = replace(finding, statement=statement, details=tuple(details))
    return judged(finding, mean, settings, judge, smallest=settings.smallest_effect)


def fixed_rate_degrades(tables: Tables, settings: Settings) -> Finding:
    """Pre-training loss after fine-tuning at each fixed rate, without a pull."""
    rows = tables["tuned_networks"].filter("is_fixed", pull=0.0)
    return degradation(FIXED, rows, settings, key=["target", "rate"], value="loss", judge=decide_rise)


def at_ends(rows: pl.DataFrame, rates: pl.Series) -> tuple[str, ...]:
    """A caveat on chosen rates at an end of the list, beyond which a better one may be."""
    n = rows.filter(pl.col("rate").is_in([rates.min(), rates.max()])).height
    return (f"Of {rows.height} chosen rates {n} lie at an end of the list.",) if n else ()


def tuned_rows_of(tables: Tables, is_wanted: pl.Expr) -> pl.DataFrame:
    """Fine-tuning at the rate chosen for each checkpoint, without a pull."""
    return tables["tuned_networks"].filter(is_wanted, pl.col("is_chosen"), pl.col("pull") == 0)


def tuned_rate_aligned(tables: Tables, settings: Settings) -> Finding:
    """Targets with the directions of pre-training and the same signs."""
    rows = tuned_rows_of(tables, (pl.col("rotation") == 0) & ~pl.col("is_opposed"))
    finding = degradation(ALIGNED, rows, settings, key=["target"], value="task_loss", judge=decide_absence)
    return replace(finding, caveats=(*finding.caveats, *at_ends(rows, tables["tuned_networks"]["rate"])))


def tuned_rate_rotated(tables: Tables, settings: Settings) -> Finding:
    """Targets with rotated directions and the same signs; opposed ones are no rotation and stand beside it."""
    rows = tuned_rows_of(tables, (pl.col("rotation") > 0) & ~pl.col("is_opposed"))
    finding = degradation(ROTATED, rows, settings, key=["target"], value="task_loss", judge=decide_rise)
    opposed = series_of(tuned_rows_of(tables, pl.col("is_opposed")), ["target"])
    more = [f"{name} {signed(float(rises(grid(part, 'task_loss')).mean()))}" for (name,), part in opposed.items()]
    note = (f"Targets of opposite strengths are not counted; their rise at tuned rates: {', '.join(more)}.",)
    ends = at_ends(rows, tables["tuned_networks"]["rate"])
    return replace(finding, caveats=(*finding.caveats, *ends, *(note if more else ())))


def pulled(tables: Tables) -> pl.DataFrame:
    """Fine-tuning at fixed rates, at every pull."""
    return tables["tuned_networks"].filter("is_fixed")


def pull_delays(tables: Tables, settings: Settings) -> Finding:
    """Doublings of time from the best checkpoint without a pull to that with one, for every target, rate and pull."""
    rows = pulled(tables)
    series = series_of(rows, ["target", "rate", "pull"])
    finding = replace(
        DELAYS, n_checkpoints=rows["checkpoint"].n_unique(), caveats=left_out(rows, ["target", "rate", "pull"])
    )
    later: dict[float, list[np.ndarray]] = {}
    costs: dict[float, list[float]] = {}
    for (target, rate, pull), part in series.items():
        without = series.get((target, rate, 0.0))
        if pull and without is not None:
            later.setdefault(pull, []).append(np.log2(turns(part, "loss") / turns(without, "loss")))
            costs.setdefault(pull, []).append(part["task_loss"].mean() - without["task_loss"].mean())
    if not later:
        return undecided(finding, "the study has no pull beside 0")
    means = {pull: np.mean(found, axis=0) for pull, found in sorted(later.items())}
    details = [
        {"pull": pull, "task_loss_change": float(np.mean(costs[pull]))} | known(over_seeds(found, settings))
        for pull, found in means.items()
    ]
    said = "; ".join(
        f"{row['pull']:g}: {signed(row['effect'])} doublings, loss on the task {signed(row['task_loss_change'])}"
        for row in details
    )
    statement = f"How much later the pre-training loss after fine-tuning is least under a pull of {said}."
    finding = replace(finding, statement=statement, details=tuple(details))
    values = np.mean(list(means.values()), axis=0)
    return judged(finding, values, settings, decide, smallest=settings.smallest_effect)


def pull_does_not_cure(tables: Tables, settings: Settings) -> Finding:
    """The rise that is left under the strongest pull."""
    rows = pulled(tables)
    strongest = rows["pull"].max()
    if not strongest:
        return undecided(NO_CURE, "the study has no pull beside 0")
    rows = rows.filter(pull=strongest)
    finding = degradation(NO_CURE, rows, settings, key=["target", "rate"], value="loss", judge=decide_rise)
    return replace(finding, statement=f"Under a pull of {strongest:g}: {finding.statement}")
