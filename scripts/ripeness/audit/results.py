"""Checks of results: what in the measurements is no evidence for what it seems to say (see audit.py)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from statistics import mean

import polars as pl

from ripeness.study.audit_checks import Remark, counted, remark
from ripeness.study.methods.settings import POLICY, PREFERENCES, REWARD
from ripeness.tables.columns import HAS_VALUE, IS_PRIMARY, REPORTED
from ripeness.tables.published_suspects import one_label

SMALL_BASE = 0.05  # as in type_transfer: a ratio to less than this says nothing
SMALL_CHANGE = 0.02  # a change that would be called none
FAR = 0.1  # below the commonest answer
N_ERRORS = 3  # standard errors beyond which a score is below a floor, not at it
SURE = 1.645  # standard errors, one-sided 95 %
AT_FLOOR = 2  # standard errors within which it is at the floor
TIES = 0.05  # share of items
MIN_ITEMS = 10  # fewer may well be answered alike
MODEL = ["series", "checkpoint", "dataset", "format", "method", "learning_rate", "seed"]
ASKED = ["probe", "probe_format", "shots", "split"]


@dataclass(frozen=True)
class Results:
    """Measurements and cells of a study, and its item scores where there are any."""

    measurements: pl.DataFrame
    cells: pl.DataFrame
    items: pl.LazyFrame | None = None

    @cached_property
    def scores(self) -> pl.DataFrame:
        """Keep primary scores of choices and generated texts, of what findings read."""
        return self.measurements.filter(REPORTED, IS_PRIMARY, HAS_VALUE, pl.col("probe_kind") != "text")

    @cached_property
    def changes(self) -> pl.DataFrame:
        """Scores of tuned models next to those of the untouched one, asked the same way; mean over its seeds."""
        place = ["series", "checkpoint", *ASKED]
        base = (
            self.scores.filter(method="base")
            .group_by(place)
            .agg(before=pl.col("value").mean(), before_se=pl.col("se").mean())
        )
        tuned = self.scores.filter(pl.col("method") != "base")
        floor = pl.max_horizontal("chance", "majority").fill_null(0.0)
        return tuned.join(base, on=place, nulls_equal=True).with_columns(
            floor=floor, change=pl.col("value") - pl.col("before")
        )


def diverged_cells(results: Results) -> Iterator[Remark]:
    """Find trainings that diverged, by method, rate and dataset."""
    group = ["method", "learning_rate", "dataset"]
    cells = results.cells.filter(pl.col("method") != "base")
    counts = cells.group_by(group).agg(pl.len(), n=(pl.col("status") == "diverged").sum())
    for row in counts.filter(pl.col("n") > 0).sort(group).iter_rows(named=True):
        rate = "" if row["learning_rate"] is None else f" at {row['learning_rate']:g}"
        where = f"{row['method']}{rate}, {row['dataset']}"
        yield remark("diverged-cells", where, f"{row['n']} of {row['len']} trainings diverged")


def not_tuned(results: Results) -> Iterator[Remark]:
    """Find trainings after which every weight is as before, by method and dataset; warm-up begins at rate 0."""
    group = ["method", "dataset"]
    done = results.cells.filter(pl.col("method") != "base", pl.col("status") == "done")
    counts = done.group_by(group).agg(pl.len(), n=(pl.col("displacement") == 0).sum())
    for row in counts.filter(pl.col("n") > 0).sort(group).iter_rows(named=True):
        seen = f"{row['n']} of {row['len']} trainings changed no weight; more items or epochs make more steps"
        yield remark("not-tuned", f"{row['method']}, {row['dataset']}", seen)


def doubtful_preferences(results: Results) -> Iterator[Remark]:
    """Find trainings on preferences whose record warns of their start or their result, by method and dataset."""
    return warned(results, "doubtful-preferences", PREFERENCES, r"better answer|both answers")


def doubtful_policies(results: Results) -> Iterator[Remark]:
    """Find policies whose record warns of their start or their reward, by method and dataset."""
    return warned(results, "doubtful-policies", POLICY, r"of the start's own texts|the reward rose")


def warned(results: Results, check: str, learns: str, words: str) -> Iterator[Remark]:
    """Find trainings that did not diverge and whose record has a warning with some words, by method and dataset."""
    cells = results.cells.filter(pl.col("learns") == learns, pl.col("status") == "done")
    for (method, rate, dataset), rows in cells.group_by("method", "learning_rate", "dataset", maintain_order=True):
        found = rows.filter(pl.col("reason").str.contains(words))
        if not found.is_empty():
            seen = f"{found.height} of {rows.height} trainings, such as {found['checkpoint'][0]}: {found['reason'][0]}"
            yield remark(check, f"{method} at {rate:g}, {dataset}", seen)


def reward_at_chance(results: Results) -> Iterator[Remark]:
    """Find reward models that are not surely better than a blind choice on pairs that nobody trained on."""
    keys = [key for key in MODEL if key in results.cells.columns]
    models = results.cells.filter(learns=REWARD).select(keys)
    own = results.scores.filter(pl.col("dataset") == pl.col("probe"), split="test")
    found = own.join(models, on=keys, nulls_equal=True)
    low = found.filter(pl.col("value") - SURE * pl.col("se").fill_null(0.0) <= pl.col("chance"))
    for (method, dataset), rows in low.group_by("method", "dataset", maintain_order=True):
        total = found.filter(method=method, dataset=dataset).height
        seen = (
            f"{rows.height} of {total} models are within {SURE:g} standard errors of chance on test pairs, such as "
            f"{rows['checkpoint'][0]} with {rows['value'][0]:.2f}"
        )
        yield remark("reward-at-chance", f"{method}, {dataset}", seen)


def missing_cells(results: Results) -> Iterator[Remark]:
    """Find cells that other checkpoints of the series have, and cells without a result."""
    design = ["dataset", "format", "method", "learning_rate", "seed"]
    there = results.cells.filter(pl.col("status") != "missing").select("series", "checkpoint", *design)
    for (series,), cells in results.cells.group_by("series", maintain_order=True):
        wanted = cells.select("series", "checkpoint").unique().join(cells.select(design).unique(), how="cross")
        absent = wanted.join(there, on=["series", "checkpoint", *design], how="anti", nulls_equal=True)
        for (checkpoint,), rows in sorted(absent.group_by("checkpoint"), key=lambda part: part[0]):
            names = ", ".join(sorted(rows["dataset"].unique())[:5])
            seen = f"{counted(rows.height, 'cell')} that other checkpoints have are missing ({names})"
            yield remark("missing-cells", f"{series} {checkpoint}", seen)


def tiny_base(results: Results) -> Iterator[Remark]:
    """Find tuned models whose untouched baseline scores almost nothing, by probe."""
    for (probe,), rows in by_probe(results.changes):
        small = rows.filter(pl.col("before") < SMALL_BASE, pl.col("change").abs() > 0)
        if small.is_empty():
            continue
        above = small.filter(pl.col("before") > 0)
        ratios = sorted(above["change"] / above["before"], key=abs)
        ratio = f", ratios of change up to {ratios[-1]:+.0%}" if ratios else ", and a ratio is undefined"
        seen = f"in {small.height:,} of {rows.height:,} comparisons the untouched score is below {SMALL_BASE:g}{ratio}"
        yield remark("tiny-base", str(probe), seen)


def no_forgetting_at_chance(results: Results) -> Iterator[Remark]:
    """Find probes without forgetting, where the untouched model was at chance or the most frequent answer."""
    for (probe,), rows in by_probe(results.changes.filter(pl.col("dataset") != pl.col("probe"), probe_kind="choice")):
        error = AT_FLOOR * pl.col("before_se").fill_null(0.0)
        kept = pl.col("change").abs() <= pl.max_horizontal(error, pl.lit(SMALL_CHANGE))
        empty = rows.filter(kept, pl.col("before") <= pl.col("floor") + error)
        if not empty.is_empty():
            seen = (
                f"in {empty.height:,} of {rows.height:,} comparisons tuning on another dataset changes nothing, and "
                f"the untouched model is at the floor or below ({mean(empty['before']):.2f}, chance or the commonest "
                f"answer {mean(empty['floor']):.2f})"
            )
            yield remark("no-forgetting-at-chance", str(probe), seen)


def below_majority(results: Results) -> Iterator[Remark]:
    """Find accuracies far below chance or the most frequent answer, by probe."""
    scores = results.scores.filter(pl.col("probe_kind") == "choice", pl.col("chance").is_not_null())
    scores = scores.with_columns(pl.col("majority").fill_null(pl.col("chance")))  # published numbers may not say it
    error = N_ERRORS * pl.col("se").fill_null(0.0)
    far = (pl.col("majority") - pl.col("value") > pl.max_horizontal(error, pl.lit(FAR))) & (
        pl.col("chance") - pl.col("value") > error
    )
    for (probe,), rows in by_probe(scores):
        low = rows.filter(far).sort("value")
        if not low.is_empty():
            row = low.row(0, named=True)
            seen = (
                f"{low.height:,} of {rows.height:,} accuracies, down to {row['value']:.2f} ({row['checkpoint']}, "
                f"{row['method']}), where the commonest answer has {row['majority']:.2f} and chance {row['chance']:.2f}"
            )
            yield remark("below-majority", str(probe), seen)


def perhaps_one_label(results: Results) -> Iterator[Remark]:
    """Find probes of published tables in which one label may be right in all items, which a table cannot show."""
    if results.items is None:
        for probe, seen in one_label(results.measurements).items():
            yield remark("perhaps-one-label", probe, f"an accuracy of {seen}")


def no_number(results: Results) -> Iterator[Remark]:
    """Find measurements that are null since some items have no number, by probe, for tuned and untouched models."""
    rows = results.measurements.with_columns(is_tuned=pl.col("method") != "base", is_null=~HAS_VALUE.fill_null(False))
    key = [*MODEL, *ASKED, "suite"]
    for (probe, is_tuned), part in sorted(rows.group_by("probe", "is_tuned"), key=lambda pair: pair[0]):
        lost = part.filter("is_null").sort(*key, "metric")
        if lost.is_empty():
            continue
        row, n = lost.row(0, named=True), lost.select(key).unique().height
        metrics = ", ".join(sorted(set(lost["metric"])))
        reason = row["reason"] or "it is no finite number"
        seen = (
            f"{metrics} without a number in {n:,} of {part.select(key).unique().height:,} measurements of "
            f"{'tuned' if is_tuned else 'untouched'} models, e.g. {model_of(row)}: {reason}"
        )
        yield remark("no-number", str(probe), seen)


def model_of(row: dict) -> str:
    """Name the model of a measurement."""
    place = f"{row['series']} {row['checkpoint']}"
    if row["method"] == "base":
        return place
    rate = "" if row["learning_rate"] is None else f" at {row['learning_rate']:g}"
    return f"{place}, {row['dataset']} ({row['format']}, {row['method']}{rate}, seed {row['seed']})"


def tied_options(results: Results) -> Iterator[Remark]:
    """Find measurements in which more than a few items have two best options."""
    ties = results.measurements.filter(REPORTED, metric="ties")
    for (probe,), rows in by_probe(ties):
        many = rows.filter(pl.col("value") > TIES)
        if not many.is_empty():
            seen = f"in {many.height:,} of {rows.height:,} measurements, up to {max(many['value']):.0%} of the items"
            yield remark("tied-options", str(probe), seen)


def one_answer(results: Results) -> Iterator[Remark]:
    """Find models that give one answer to every item of a choice, where several answers are right.

    A warning of tuned ones, whose gain is then that of a fixed answer.
    """
    if results.items is None:
        return
    answers = (
        results.items.filter(REPORTED, pl.col("prediction").is_not_null(), probe_kind="choice")
        .group_by("method", *[name for name in MODEL if name != "method"], *ASKED)
        .agg(pl.len(), said=pl.col("prediction").n_unique(), golds=pl.col("gold").n_unique())
        .filter(pl.col("len") >= MIN_ITEMS, pl.col("golds") > 1)
        .group_by("probe", is_tuned=pl.col("method") != "base")
        .agg(n=pl.len(), n_one=(pl.col("said") == 1).sum())
        .filter(pl.col("n_one") > 0)
        .sort("probe", "is_tuned")
        .collect()
    )
    for row in answers.iter_rows(named=True):
        who = "tuned" if row["is_tuned"] else "untouched"
        seen = f"in {row['n_one']:,} of {row['n']:,} measurements of {who} models all answers are the same"
        yield remark("one-answer", row["probe"], seen, severity="warning" if row["is_tuned"] else None)


def by_probe(rows: pl.DataFrame) -> list[tuple[tuple, pl.DataFrame]]:
    """Group rows by probe, in order of name."""
    return sorted(rows.group_by("probe"), key=lambda part: part[0])


RESULT_CHECKS: dict[str, Callable[[Results], Iterator[Remark]]] = {
    "diverged-cells": diverged_cells,
    "not-tuned": not_tuned,
    "doubtful-preferences": doubtful_preferences,
    "doubtful-policies": doubtful_policies,
    "reward-at-chance": reward_at_chance,
    "missing-cells": missing_cells,
    "tiny-base": tiny_base,
    "no-forgetting-at-chance": no_forgetting_at_chance,
    "below-majority": below_majority,
    "perhaps-one-label": perhaps_one_label,
    "no-number": no_number,
    "tied-options": tied_options,
    "one-answer": one_answer,
}
