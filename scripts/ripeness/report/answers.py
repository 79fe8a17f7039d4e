"""What every model answered to each test item, arranged so that any two models can be compared item by item.

Models are asked in the format that they were tuned in; untouched ones in each. A model's answers on a probe are places
in the columns of all answers: [formats, seeds, items], -1 where it was not asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from ripeness.study.study_config import BASE
from ripeness.tables.columns import REPORTED

KINDS = ["choice", "preference", "generation"]
MOST_ROWS = 5_000_000  # of more, only models on the dataset that they were tuned on are compared
ROW = ["series", "checkpoint", "method", "dataset", "probe", "probe_format", "seed", "item"]
SAID = ["score", "logp_gold", "margin", "output", "gold"]


class Model(NamedTuple):
    """Who was asked: a checkpoint, tuned on a dataset by a method; of an untouched one that is the probe itself."""

    series: str
    checkpoint: str
    method: str
    dataset: str


@dataclass(frozen=True)
class Probe:
    """One dataset with what all models were asked of it; `rows` by model, `clusters` by item."""

    name: str
    formats: list[str]
    seeds: list[int]
    items: list[str]
    clusters: np.ndarray
    rows: dict[Model, np.ndarray]


@dataclass(frozen=True)
class Answers:
    """All answers by column (SAID), the probes, and the checkpoints (series, name) in order of tokens."""

    columns: dict[str, pl.Series]
    score: np.ndarray
    probes: dict[str, Probe]
    checkpoints: list[tuple[str, str]]


@dataclass(frozen=True)
class Compared:
    """Scores [models, formats, seeds, items], NaN where not measured, with clusters [items]."""

    is_fixed: np.ndarray
    scores: np.ndarray
    clusters: np.ndarray


def read_answers(tables: Sequence[pl.LazyFrame], shots: int) -> Answers:
    """Read the answers from items tables, one a checkpoint."""
    points = ["series", "checkpoint", "step", "tokens"]
    asked = [
        REPORTED,
        pl.col("format") == pl.col("probe_format"),
        pl.col("shots") == shots,
        pl.col("split") == "test",
        pl.col("probe_kind").is_in(KINDS),
        pl.col("score").is_not_null(),
    ]
    output = pl.coalesce("text", "prediction").alias("output")
    places = [table.select(points).head(1).collect() for table in tables]
    if sum(table.filter(asked).select(pl.len()).collect().item() for table in tables) > MOST_ROWS:
        asked.append(pl.col("dataset") == pl.col("probe"))
    kept = [*ROW, pl.col("cluster").fill_null(pl.col("item")), *SAID[:3], output, "gold"]
    parts = [table.filter(asked).select(kept).unique(ROW).sort(ROW).collect() for table in tables]
    if not parts:
        return Answers({}, np.array([]), {}, [])
    rows = pl.concat(parts).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    order = pl.concat(places).sort("tokens", "step", "series", "checkpoint", nulls_last=True)
    probes = {str(name): probe_of(str(name), part) for (name,), part in sorted(rows.group_by("probe"))}
    return Answers(
        {name: rows[name] for name in SAID}, rows["score"].to_numpy(), probes, order.select(points[:2]).unique(
            maintain_order=True
        ).rows(),
    )  # fmt: skip


def probe_of(name: str, rows: pl.DataFrame) -> Probe:
    """Arrange the answers to one dataset; those of an untouched model stand under every seed."""
    seeds = sorted(set(rows.filter(pl.col("method") != BASE)["seed"])) or [0]
    items = rows.group_by("item").agg(pl.col("cluster").first()).sort("item")
    axes = {"probe_format": sorted(set(rows["probe_format"])), "item": items["item"].to_list()}
    codes = [
        pl.col(column).replace_strict({value: place for place, value in enumerate(axis)}, return_dtype=pl.Int64)
        for column, axis in axes.items()
    ]
    coded = rows.with_columns(*codes).sort("row")
    shape = len(axes["probe_format"]), len(seeds), len(axes["item"])
    found = {}
    for model, part in coded.partition_by(list(Model._fields), as_dict=True, maintain_order=True).items():
        places = np.full(shape, -1, dtype=np.int64)
        form, item, row = (part[column].to_numpy() for column in ("probe_format", "item", "row"))
        if model[2] == BASE:
            places[form, :, item] = row[:, None]
        else:
            places[form, np.searchsorted(seeds, part["seed"].to_numpy()), item] = row
        found[Model(*map(str, model))] = places
    return Probe(name, axes["probe_format"], seeds, axes["item"], items["cluster"].to_numpy(), found)


def scores_of(answers: Answers, places: np.ndarray) -> np.ndarray:
    """Look up the scores at places; NaN where a model was not asked."""
    return np.where(places >= 0, answers.score[places], np.nan)


def compared(answers: Answers, probe: Probe, models: Iterable[Model], form: str | None = None) -> Compared | None:
    """Stack the scores of models in the formats that all were asked in, or in one of them.

    None where they share none.
    """
    models = list(models)
    scores = np.stack([scores_of(answers, probe.rows[model]) for model in models])
    is_asked = np.isfinite(scores).any(axis=(2, 3))
    shared = is_asked.all(axis=0)
    if form is not None:
        shared &= np.array([name == form for name in probe.formats])
    if len(models) < 2 or not shared.any():
        return None
    is_fixed = np.array([model.method == BASE for model in models])
    return Compared(is_fixed, scores[:, shared], probe.clusters)
