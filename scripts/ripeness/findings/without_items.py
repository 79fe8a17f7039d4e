"""What findings share where there are measurements and no items, as in published tables.

Nothing is resampled: an interval is that of standard errors, as wide as any dependence between the numbers could make
it where their items may be the same. Where a number has no standard error there is none.
"""

import numpy as np
import polars as pl

from ripeness.findings.caveats import covers, shared_caveats
from ripeness.findings.finding import Settings, listed
from ripeness.findings.scores import Point, Scores
from ripeness.findings.trajectories import Trajectory, points_of
from ripeness.stats.resampling import Estimate, with_interval
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import compared, mean_or_null, scores
from ripeness.tables.single_numbers import as_number

MANY = 1e9  # degrees of freedom of a standard error over items, of which the number is not known
UNEVEN = 3.0  # times the median distance between checkpoints, in tokens and in their logarithm
TWINS = 0.01  # of the tokens; what differs between two such checkpoints is noise
PLACE = ["series", "checkpoint", "tokens", "phase"]
PAIR = [*PLACE, "dataset", "probe", "probe_kind", "is_own"]


def estimated(effect: float, se: float, settings: Settings) -> Estimate:
    """Give an effect the normal interval of its standard error; NaN where that is not known."""
    if np.isnan(se):
        return Estimate(effect, *[np.nan] * 4)
    return with_interval(effect, se, df=MANY, confidence=settings.confidence)


def caveats_of(measurements: pl.DataFrame, settings: Settings) -> list[str]:
    """List caveats on the checkpoints."""
    checkpoints = points_of(measurements)
    return [*shared_caveats(Scores(checkpoints), [], settings), *uneven_caveats(checkpoints)]


def covers_of(measurements: pl.DataFrame, *, is_tuned: bool) -> str:
    """Say in words what an interval covers."""
    tuned = measurements.filter(pl.col("method") != "base")
    n_seeds = tuned.group_by("series", "dataset").agg(n=pl.col("seed").drop_nulls().n_unique())["n"].min()
    text = covers(measurements["series"].n_unique(), 1 if is_tuned else 0)
    seeds = {0: "no tuning seeds are named:", 1: "one tuning seed:"}
    n_least = int(as_number(n_seeds or 0))
    return text.replace(seeds[1], seeds.get(n_least, f"{n_least} tuning seeds, of which the mean is taken:"))


def uneven_caveats(checkpoints: dict[str, list[Point]]) -> list[str]:
    """Name the series whose checkpoints are uneven in tokens, and neighbours that are almost the same."""
    uneven, twins = [], []
    for series, points in checkpoints.items():
        found = [point for point in points if point.tokens]
        tokens = np.array([point.tokens for point in found], float)
        if len(tokens) < 3:
            continue
        gaps = [np.diff(tokens), np.diff(np.log(tokens))]
        if min(gap.max() / max(np.median(gap), 1e-12) for gap in gaps) > UNEVEN:
            widest = int(np.argmax(gaps[0]))
            uneven.append(f"{series} has none from {tokens[widest]:.3g} to {tokens[widest + 1]:.3g}")
        twins += [
            f"{before.checkpoint} and {after.checkpoint} of {series}"
            for before, after in zip(found, found[1:], strict=False)
            if 0 < after.tokens - before.tokens < TWINS * after.tokens
        ]
    caveats = []
    if uneven:
        more = f", and {len(uneven) - 3} more" if len(uneven) > 3 else ""
        caveats.append(f"Checkpoints are uneven in tokens: {'; '.join(uneven[:3])}{more}.")
    if twins:
        more = f", and {len(twins) - 3} more" if len(twins) > 3 else ""
        caveats.append(
            f"Less than {TWINS:.0%} of their tokens apart: {', '.join(twins[:3])}{more}; "
            "what differs between them is noise of training and measuring."
        )
    return caveats


def halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split checkpoints into an earlier and a later half; the middle of an odd number is in no half."""
    half = max(1, len(values) // 2)
    return values[:half], values[-half:]


def above_floor(curve: Trajectory) -> float:
    """Average the later half of the checkpoints' scores above the floor."""
    return float(curve.sign * (halves(curve.values)[1].mean() - curve.floor))


def pairs_of(measurements: pl.DataFrame) -> pl.DataFrame:
    """Compare tuned with untouched models by checkpoint, dataset tuned on and probe.

    Columns: before, after, change, se, ratio. Measured in the format tuned in, at the compared number of shots;
    averaged over methods and seeds. `se` takes the two models as independent, which is conservative since they share
    items; it is null where one of theirs is.
    """
    rows = compared(scores(measurements)).filter(pl.col("probe_kind") != "text")
    asked = ["series", "checkpoint", "probe", "probe_format", "shots", "metric"]
    base = rows.filter(method="base").group_by(asked).agg(before=pl.col("value").mean(), se_before=mean_or_null("se"))
    tuned = rows.filter(pl.col("method") != "base", pl.col("format") == pl.col("probe_format")).join(base, on=asked)
    changed = tuned.with_columns(is_own=IS_OWN, se=(pl.col("se") ** 2 + pl.col("se_before") ** 2).sqrt())
    pairs = changed.group_by(PAIR).agg(pl.col("before", "value").mean(), se=mean_or_null("se"))
    change = pl.col("value") - pl.col("before")
    ratio = pl.when(pl.col("before") > 0).then(change / pl.col("before"))
    return pairs.with_columns(change=change, ratio=ratio).rename({"value": "after"}).sort(PAIR)


def missing_caveats(pairs: pl.DataFrame) -> list[str]:
    """Warn of pairs that are measured at some checkpoints of a series and not at others."""
    design = pairs.select("series", "dataset", "probe").unique()
    planned = design.join(pairs.select("series", "checkpoint").unique(), on="series")
    absent = planned.join(pairs, on=["series", "checkpoint", "dataset", "probe"], how="anti")
    if absent.is_empty():
        return []
    named = [f"{d} on {p} at {c}" for d, p, c in absent.select("dataset", "probe", "checkpoint").sort(pl.all()).rows()]
    more = f", and {len(named) - 5} more" if len(named) > 5 else ""
    return [f"{len(named)} of {planned.height} measurements are missing: {', '.join(named[:5])}{more}."]


def method_caveats(measurements: pl.DataFrame) -> list[str]:
    """Warn of methods that are averaged."""
    methods = sorted(set(measurements["method"]) - {"base"})
    return [f"Models tuned by {listed(methods)} are taken together."] if len(methods) > 1 else []


def kinds_of(measurements: pl.DataFrame, settings: Settings) -> dict[str, str]:
    """Find the type of every dataset tuned on: as the config says, else that of its own probes where they agree."""
    own = measurements.filter(IS_OWN, pl.col("method") != "base")
    found = {name: set(kinds) for name, kinds in own.group_by("dataset").agg("probe_kind").iter_rows()}
    asked = {name: {kind} for name, kind in measurements.select("probe", "probe_kind").unique().iter_rows()}
    tuned = set(measurements.filter(pl.col("method") != "base")["dataset"])
    kinds = {name: found.get(name) or asked.get(name) or set() for name in tuned}
    alone = {name: next(iter(kind)) for name, kind in kinds.items() if len(kind) == 1}
    return alone | {name: kind for name, kind in settings.kinds.items() if name in tuned}
