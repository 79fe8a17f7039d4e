"""Which ways of tuning no other one beats in what they gain on answers and lose on text, and how sure that is.

Items, passages and tuning seeds are resampled. Items and passages are the same for all ways, whose differences are
therefore paired; each way has seeds of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import TEXT
from ripeness.stats.fronts import on_front
from ripeness.stats.resampling import redraw, redraw_items, weighted_means
from ripeness.study.study_config import BASE
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import POINT
from ripeness.tables.ways_of_tuning import comparable_ways, plain_way

MOST_DRAWS = 1000  # a share of draws is known within 0.03 then
ENDS = [0.025, 0.975]
MODEL = ["method", "seed"]


@dataclass(frozen=True)
class Asked:
    """Numbers of models on the same things: `values` and what each weighs, [seeds, things], by method.

    `groups` are codes of what is drawn together, `strata` of what is drawn apart, `names` the things in order.
    """

    values: dict[str, np.ndarray]
    sizes: dict[str, np.ndarray]
    groups: np.ndarray
    strata: np.ndarray

    def drawn(self, draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Average over the things, stratum by stratum, as measured and in draws: [seeds, 1 + draws] by method."""
        weights = redraw_items(self.groups, self.strata, draws=draws, rng=rng).weights()
        parts = [self.strata == stratum for stratum in np.unique(self.strata)]
        return {
            name: np.mean([self.mean(name, part, weights[:, part]) for part in parts], axis=0) for name in self.values
        }

    def mean(self, name: str, part: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Average over some of the things: the sum of all numbers over that of all sizes."""
        values, sizes = self.values[name][:, part], self.sizes[name][:, part]
        return weighted_means(values, weights) / weighted_means(sizes, weights)


def fronts(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Make a row for each checkpoint, dataset and way, the untouched model among them.

    `gain` (score on test items) and `lost` (nats a token of text) are differences from the untouched model with the
    ends of 95 % of the draws; `share` is that of the draws in which the way is on the front. A way that lacks a
    training which others have, or whose training diverged, is left out there.
    """
    plain = plain_way(tables.cells, settings.method)
    ways = comparable_ways(tables.cells, plain) if plain else []
    rows = [row for part in tables.items or [] for row in rows_at(part, [BASE, *ways], settings)]
    return pl.DataFrame(rows, infer_schema_length=None)


def rows_at(items: pl.LazyFrame, methods: list[str], settings: Settings) -> Iterator[dict[str, object]]:
    """Make the rows of a table of items, of one checkpoint or more."""
    known = items.filter(pl.col("method").is_in(methods))
    is_own = (
        IS_OWN & (pl.col("format") == pl.col("probe_format")) & pl.col("probe_kind").is_in(["choice", "generation"])
    )
    is_test = (pl.col("split") == "test") & (pl.col("shots") == settings.shots)
    columns = [*POINT, "dataset", "format", *MODEL, "probe", "item", "cluster"]
    answers = known.filter(is_own, is_test).select(*columns, value="score", size=pl.lit(1.0)).unique().collect()
    is_text = pl.col("probe_kind") == TEXT
    texts = known.filter(is_text).select(*columns, value="nll", size=pl.col("n_tokens").cast(pl.Float64)).unique()
    read, is_base = texts.collect(), pl.col("method") == BASE
    for place in answers.select(*POINT, "dataset").unique().sort("series", "checkpoint", "dataset").to_dicts():
        at = {key: place[key] for key in ("series", "checkpoint")}
        own = asked(answers.filter(dataset=place["dataset"], **at))
        text = asked(read.filter(is_base | (pl.col("dataset") == place["dataset"]), **at))
        yield from rows_of(place, own, text, settings)


def asked(rows: pl.DataFrame) -> Asked:
    """Arrange the numbers of each method by seeds and things, as means over formats; methods that lack some are out."""
    thing, n_formats = ["probe", "item"], pl.col("format").n_unique().over(pl.col("method") == BASE)
    rows = rows.with_columns(pl.col("cluster").fill_null(pl.col("item")), n_formats=n_formats)
    of_models = rows.group_by(*MODEL, *thing).agg(
        pl.col("value", "size", "n_formats").mean(),
        n=pl.col("format").n_unique(),
        is_known=pl.col("value").is_finite().all(),
    )
    whole = of_models.filter("is_known", pl.col("value").is_not_null(), pl.col("n") == pl.col("n_formats"))
    things = rows.group_by(thing).agg(pl.col("cluster").min()).sort(thing)
    n_seeds = rows.filter(pl.col("method") != BASE)["seed"].n_unique()
    values, sizes = {}, {}
    for (method,), part in whole.group_by("method"):
        n = part["seed"].n_unique()
        if part.height == n * things.height and (n == n_seeds or method == BASE):
            part = part.sort("seed", *thing)
            values[str(method)], sizes[str(method)] = (
                part[name].to_numpy().reshape(n, things.height) for name in ("value", "size")
            )
    groups = things.select(pl.struct("probe", "cluster").rank("dense")).to_series().to_numpy().astype(int)
    return Asked(values, sizes, groups, (things["probe"].rank("dense")).to_numpy().astype(int))


def rows_of(place: dict, answers: Asked, texts: Asked, settings: Settings) -> list[dict[str, object]]:
    """Make the rows of one checkpoint and dataset; none where fewer than two ways were measured on both."""
    rng, draws = np.random.default_rng(settings.seed), min(settings.draws, MOST_DRAWS)
    names = [BASE, *sorted((set(answers.values) & set(texts.values)) - {BASE})]
    if len(names) < 3 or BASE not in answers.values or BASE not in texts.values:
        return []
    scores, losses = answers.drawn(draws, rng), texts.drawn(draws, rng)
    before = [drawn[BASE].mean(axis=0) for drawn in (scores, losses)]
    changes = {name: over_seeds(scores[name] - before[0], losses[name] - before[1], rng) for name in names[1:]}
    nothing = np.zeros((2, draws + 1))
    gain, lost = np.stack([nothing, *changes.values()]).transpose(1, 0, 2)
    is_there = on_front(gain, lost)
    shares = is_there[:, 1:].mean(axis=1).tolist()
    return [
        place
        | {"method": name, "is_on_front": bool(is_there[k, 0]), "share": shares[k]}
        | numbers("gain", gain[k])
        | numbers("lost", lost[k])
        for k, name in enumerate(names)
    ]


def over_seeds(gain: np.ndarray, lost: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Average both over seeds, as measured and redrawn: [2, 1 + draws]."""
    n, draws = len(gain), gain.shape[1] - 1
    counts, unit = redraw(n, draws, rng)
    weights = np.concatenate([np.ones((1, n)), counts * unit]).T
    return np.stack([(weights * gain).mean(axis=0), (weights * lost).mean(axis=0)])


def numbers(name: str, draws: np.ndarray) -> dict[str, float]:
    """Name a number as measured, and the ends of 95 % of its draws."""
    low, high = np.quantile(draws[1:], ENDS)
    return {name: float(draws[0]), f"{name}_low": float(low), f"{name}_high": float(high)}
