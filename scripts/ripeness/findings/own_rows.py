"""The numbers that a user's own claim selects from: a row for each model and probe, with its mean and where it is from.

With items, rows remember the matrix that they are a row of, so that items can be drawn again for a weighted sum of
rows; models that answer the same items stay paired. Without items a row has its standard error.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.pairs import measured_blocks, trend, weights_of
from ripeness.findings.scores import Block, Scores, Wanted
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import points_of
from ripeness.stats.random_levels import Component
from ripeness.stats.resampling import item_component, mean_of, weighted_means
from ripeness.study.own_claims import SCORE
from ripeness.study.scoring.metrics import BY_NAME, CHOICE, GENERATION
from ripeness.tables.columns import IS_OWN, IS_PRIMARY

AT_ONCE = 100  # rows of a matrix
NAMES = ["series", "checkpoint", "dataset", "format", "method", "seed", "asked_in", "probe"]


@dataclass(frozen=True)
class Source:
    """Rows asked with one number of shots: columns NAMES, tokens, phase, is_own, is_trend, value, id.

    `blocks` by number of their first row's id; none where there are no items.
    """

    rows: pl.DataFrame
    blocks: Mapping[int, Block]

    def items(self, weights: Mapping[int, float], settings: Settings) -> tuple[np.ndarray, int]:
        """Draw the weighted sum of rows (by id) over items: draws [1 + n], and the number of items."""
        total, n_items = np.zeros(settings.draws + 1), 0
        ids = np.array(sorted(weights), int)
        for first, block in self.blocks.items():
            own = ids[(ids >= first) & (ids < first + len(block.rows))]
            n_items += block.n_items if len(own) else 0
            drawn = weights_of(block, settings) if len(own) else np.empty(0)
            for start in range(0, len(own), AT_ONCE):
                part = own[start : start + AT_ONCE]
                shares = np.array([weights[number] for number in part.tolist()])
                total += shares @ weighted_means(block.values[(part - first).tolist()], drawn)
        return total, n_items


def source_of(tables: Tables, metric: str, shots: int, settings: Settings) -> Source:
    """Collect the rows of a metric at a number of shots."""
    if not tables.has("scores"):
        return source_of_measurements(tables.reported, metric, shots)
    is_usual = metric == SCORE and shots == settings.shots
    return source_of_scores(tables.scores if is_usual else tables.other_scores(wanted(metric, shots)), settings)


def wanted(metric: str, shots: int) -> Wanted:
    """Say which numbers of items make a metric. The mean of items of a ratio is the ratio of the sums."""
    if metric == SCORE:
        return Wanted(shots)
    kind = BY_NAME[metric]
    if kind.ratio is None:
        return Wanted(shots, kind.kinds, pl.col(str(kind.column)))
    same = ["dataset", "format", "method", "learning_rate", "seed", "probe", "probe_format", "split"]
    below = pl.col(kind.ratio.below).mean().over(same)
    return Wanted(shots, kind.kinds, kind.ratio.factor * pl.col(kind.ratio.above) / below)


def source_of_scores(scores: Scores, settings: Settings) -> Source:
    """Collect the means of all models on the test items of probes that have enough of them."""
    blocks, rows, start = {}, [], 0
    for block in measured_blocks(scores, settings):
        blocks[start] = block
        for first in range(0, len(block.rows), AT_ONCE):
            part = list(range(first, min(first + AT_ONCE, len(block.rows))))
            means = mean_of(block.values[part], axis=1)
            for place, value in zip(part, means.tolist(), strict=True):
                row = block.rows[place]
                named = dict(zip([*NAMES[:-1]], row, strict=True))
                rows.append(named | {"probe": block.probe, "value": value, "id": start + place})
        start += len(block.rows)
    points = [point for found in scores.checkpoints.values() for point in found]
    stable = {point for found in scores.checkpoints.values() for point in trend(found)}
    places = pl.DataFrame(
        [
            {key: getattr(point, key) for key in ("series", "checkpoint", "tokens", "phase")}
            | {"is_trend": point in stable}
            for point in points
        ]
    )
    if not rows:
        return Source(pl.DataFrame(), {})
    table = pl.DataFrame(rows, infer_schema_length=None).drop_nans("value")
    table = table.with_columns(is_own=pl.col("dataset") == pl.col("probe"), se=pl.lit(None, pl.Float64))
    return Source(table.join(places, on=["series", "checkpoint"]).sort("id"), blocks)


def source_of_measurements(reported: pl.DataFrame, metric: str, shots: int) -> Source:
    """Collect the numbers of tables without items, with their standard errors where these are known."""
    is_wanted = IS_PRIMARY & pl.col("probe_kind").is_in([CHOICE, GENERATION])
    if metric != SCORE:
        is_wanted = pl.col("metric") == metric
    rows = reported.filter(is_wanted, pl.col("value").is_finite(), shots=shots)
    stable = {(p.series, p.checkpoint) for found in points_of(reported).values() for p in trend(found)}
    is_trend = pl.struct("series", "checkpoint").map_elements(
        lambda place: (place["series"], place["checkpoint"]) in stable, return_dtype=pl.Boolean
    )
    rows = rows.with_columns(is_own=IS_OWN, is_trend=is_trend).rename({"probe_format": "asked_in"})
    kept = rows.select(*NAMES, "tokens", "phase", "is_own", "is_trend", "value", "se")
    return Source(kept.sort(NAMES).with_row_index("id").with_columns(pl.col("id").cast(pl.Int64)), {})


def items_of(sources: list[tuple[Source, Mapping[int, float]]], settings: Settings) -> Component:
    """Compute the variance over items of a weighted sum of rows."""
    drawn = [source.items(weights, settings) for source, weights in sources]
    n_items = max(count for _, count in drawn)
    return item_component(np.sum([draws for draws, _ in drawn], axis=0), n_items)
