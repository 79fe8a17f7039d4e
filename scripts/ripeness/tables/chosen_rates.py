"""Choose on validation items: the learning rate of a method with a list of rates, and the model to keep."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from ripeness.study.scoring.metrics import METRICS
from ripeness.tables.columns import IS_PRIMARY

VALIDATION = "validation"  # the suite; the plan says the same, but what is collected does not depend on its code

LOSS = "answer_loss"  # compared in place of the primary metric where a method is chosen by its loss
LABEL_LOGP = "logp_gold"  # in place of that loss, where a map to labels answers, whose options have no tokens
LESS_IS_BETTER = [metric.name for metric in METRICS if metric.better == "lower"]
RECIPE = ["series", "checkpoint", "dataset", "format", "method"]  # what has a rate of its own
TRIED = [*RECIPE, "learning_rate"]


def validation_scores(measurements: pl.DataFrame, by_loss: Collection[str] = ()) -> pl.DataFrame:
    """Return the rows that anything may be chosen by, on validation items, with the `merit` that is compared.

    The primary metric of the task; of the methods `by_loss`, the loss of right answers, or where labels have none their
    log-probability. More merit is better: it is
    minus the value of a metric of which less is better. Both are null where the measurement is.
    """
    is_loss, metric = pl.col("method").is_in(list(by_loss)), pl.col("metric")
    wanted = pl.when((metric == LOSS).any().over(RECIPE)).then(metric == LOSS).otherwise(metric == LABEL_LOGP)
    rows = measurements.filter(suite=VALIDATION)
    rows = rows.filter(pl.when(is_loss).then(wanted).otherwise(IS_PRIMARY))
    rows = rows.with_columns(value=pl.when(pl.col("value").is_finite()).then("value"))
    is_less_better = pl.col("metric").is_in(LESS_IS_BETTER)
    return rows.with_columns(merit=pl.when(is_less_better).then(-pl.col("value")).otherwise(pl.col("value")))


def best_model(measurements: pl.DataFrame, dataset: str, method: str, choose_by: str = "score") -> dict[str, Any]:
    """Find format, learning rate and seed of the best model of a method and checkpoint, with its validation score.

    Or its validation loss, if it is chosen by `loss`. Of two equal ones the first by format, rate and seed is taken.
    """
    by_loss = [method] if choose_by == "loss" else []
    scores = validation_scores(measurements, by_loss).filter(dataset=dataset, method=method)
    place = ["format", "learning_rate", "seed"]
    scores = scores.sort("merit", *place, descending=[True, False, False, False], nulls_last=True)
    return scores.select(*place, "metric", "value", "n_items").row(0, named=True)


def choose_rates(
    measurements: pl.DataFrame, cells: pl.DataFrame, choose_by: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Return every learning rate that was tried among others, with its validation score; the best one `is_chosen`.

    The score is the mean over seeds of the primary metric of the task; or of the loss of right answers for the methods
    of which `choose_by` says "loss". A rate at which fewer trainings diverged, or have no number on
    validation items, goes before a better score, and the lower of two equal ones is taken. Where any has no number the
    mean is null. `is_at_edge` says that the chosen rate is the lowest or the highest one,
    beyond which a better one may lie. Nothing but validation items is read.
    """
    by_loss = [method for method, what in (choose_by or {}).items() if what == "loss"]
    is_known = pl.col("merit").null_count() == 0
    scores = (
        validation_scores(measurements, by_loss)
        .group_by(TRIED)
        .agg(
            "metric",
            "probe_kind",
            *(pl.when(is_known).then(pl.col(name).mean()).alias(name) for name in ("value", "merit")),
            n_items=pl.col("n_items").max(),
            n_lost=pl.col("seed").filter(pl.col("merit").is_null()).n_unique(),
        )
        .with_columns(pl.col("metric", "probe_kind").list.first())
    )
    tried = (
        cells.filter(pl.col("learning_rate").n_unique().over(RECIPE) > 1)
        .group_by(TRIED)
        .agg(n_seeds=pl.col("seed").n_unique(), n_diverged=(pl.col("status") != "done").sum())
        .join(scores, on=TRIED, how="left")
    )
    worst = -pl.col("merit").fill_null(-math.inf)
    n_failed = pl.col("n_diverged") + pl.col("n_lost").fill_null(0)
    best = pl.struct(n_failed, worst.alias("worst"), "learning_rate").rank("ordinal").over(RECIPE)
    rates = pl.col("learning_rate")
    is_edge = (rates == rates.min().over(RECIPE)) | (rates == rates.max().over(RECIPE))
    return tried.with_columns(is_chosen=best == 1, is_at_edge=is_edge & (best == 1)).drop("merit", "n_lost").sort(TRIED)


def mark_chosen(rows: pl.LazyFrame, rates: pl.DataFrame) -> pl.LazyFrame:
    """Add `is_chosen`: false for the rows of learning rates that were tried and not chosen, true for all others."""
    rejected = rates.filter(~pl.col("is_chosen")).select(TRIED).with_columns(is_chosen=pl.lit(False)).lazy()
    marked = rows.join(rejected, on=TRIED, how="left", maintain_order="left")
    return marked.with_columns(pl.col("is_chosen").fill_null(True))
