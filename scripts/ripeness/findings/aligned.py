"""What each stage of an alignment did to the loss on text and to a policy's own texts, cell by cell.

A stage is a training that starts from the checkpoint or from the model of another one: supervised tuning, preferences,
a policy. Rows have the columns of CELL, `learns`, `start` and `root`, the first training of the chain. A cell that
diverged or was not measured is left out.
"""

from typing import NamedTuple

import polars as pl

from ripeness.findings.treated_curves import PLACE, TEXT, in_trend
from ripeness.study.methods.settings import ANSWERS, POLICY, PREFERENCES, RULE
from ripeness.study.study_config import BASE
from ripeness.tables.intervals import mean_or_null

CELL = [*PLACE, "dataset", "format", "method", "seed"]
OF_MODEL = ["series", "checkpoint", "tokens", "dataset", "format", "seed"]  # what a stage and its start have in common
ALIGNED = (PREFERENCES, POLICY)
NO_CONTROL = "no policy of a reward model has a control that the rule rewards, from the same start"
MOST_STAGES = 8  # of a chain; the plan refuses longer ones


class Method(NamedTuple):
    """A way of tuning as a stage: what it learns from what start, and what rewards it."""

    learns: str
    start: str | None
    start_dataset: str | None
    rewarded_by: str | None


def methods_of(cells: pl.DataFrame) -> dict[tuple[str, str], Method]:
    """Return the stages, by dataset and method."""
    facts = [pl.col(name).drop_nulls().first() for name in Method._fields]
    found = cells.filter(pl.col("method") != BASE).group_by("dataset", "method").agg(facts)
    return {
        (dataset, method): Method(learns or ANSWERS, *others)
        for dataset, method, learns, *others in found.sort("dataset", "method").iter_rows()
    }


def root_of(methods: dict[tuple[str, str], Method], dataset: str, method: str) -> tuple[str, str] | None:
    """Follow the starts of a stage to the first training of its chain; None where one of them is not in the tables."""
    for _ in range(MOST_STAGES):
        stage = methods.get((dataset, method))
        if stage is None or stage.start is None:
            return (dataset, method) if stage else None
        dataset, method = stage.start_dataset or dataset, stage.start
    return None


def stages(cells: pl.DataFrame) -> pl.DataFrame:
    """List the finished cells of trained checkpoints with the start and the root of each, and their facts."""
    methods = methods_of(cells)
    roots = [
        {"dataset": dataset, "method": method, "root_dataset": root[0], "root": root[1]}
        for dataset, method in methods
        if (root := root_of(methods, dataset, method))
    ]
    schema = dict.fromkeys(("dataset", "method", "root_dataset", "root"), pl.String)
    done = in_trend(cells.filter(pl.col("method") != BASE, pl.col("status") == "done", pl.col("is_chosen")))
    done = done.with_columns(
        learns=pl.col("learns").fill_null(ANSWERS), start_dataset=pl.coalesce("start_dataset", "dataset")
    )
    return done.join(pl.DataFrame(roots, schema=schema), on=["dataset", "method"])


def with_text(rows: pl.DataFrame, measurements: pl.DataFrame) -> pl.DataFrame:
    """Add the mean loss on text (nats a token) of each stage, of its start and of its root: `text`, `text_...`.

    `text_untouched` is that of the checkpoint, which is the start of a root. Rows without one of them are left out.
    """
    is_text = (pl.col("probe_kind") == TEXT) & (pl.col("metric") == "loss")
    read = measurements.filter(is_text)
    tuned = read.filter(pl.col("method") != BASE).group_by(CELL).agg(mean_or_null("value").alias("text"))
    probes = read.filter(pl.col("method") != BASE)["probe"].unique().to_list()
    untouched = read.filter(pl.col("method") == BASE, pl.col("probe").is_in(probes))
    untouched = untouched.group_by("series", "checkpoint").agg(mean_or_null("value").alias("text_untouched"))
    rows = rows.join(tuned, on=CELL).join(untouched, on=["series", "checkpoint"])
    for name in ("start", "root"):
        other = tuned.select(
            pl.exclude("tokens", "phase", "text", "dataset", "method"),
            pl.col("dataset").alias(f"{name}_dataset"),
            pl.col("method").alias(name),
            pl.col("text").alias(f"text_{name}"),
        )
        rows = rows.join(other, on=[c for c in other.columns if c != f"text_{name}"], how="left")
    is_root = pl.col("start").is_null()
    rows = rows.with_columns(text_start=pl.when(is_root).then("text_untouched").otherwise("text_start"))
    numbers = pl.col("text", "text_start", "text_root", "text_untouched")
    return rows.filter(pl.all_horizontal(numbers.is_finite().fill_null(value=False)))


def with_halves(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `is_late`: whether a checkpoint is in the later half of those of its series that have rows."""
    return rows.with_columns(is_late=pl.col("tokens") >= pl.col("tokens").unique().median().over("series"))


def balanced(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Keep what was measured at every checkpoint of its series, dataset by dataset; and count the rows left out.

    Without this a stage that diverged at one checkpoint would move the difference between checkpoints.
    """
    wanted = pl.col("tokens").n_unique().over("series")
    kept = rows.filter(pl.col("tokens").n_unique().over("series", "dataset", "format", "method", "seed") == wanted)
    return kept, rows.height - kept.height


def policies(cells: pl.DataFrame) -> pl.DataFrame:
    """List the policies that know what the rule says of their own texts, with `gain`: the truth less that before."""
    found = stages(cells).filter(pl.col("learns") == POLICY)
    found = found.filter(pl.col("truth").is_finite() & pl.col("truth_before").is_finite())
    return found.with_columns(gain=pl.col("truth") - pl.col("truth_before"))


def proxy_gaps(cells: pl.DataFrame) -> pl.DataFrame:
    """Compare policies that a reward model rewards with those that the rule does, all else equal.

    A row for each cell of the former: `change` is the truth of the latter less its own, `variance` that of both from
    prompts. They have the same start, dataset, format, checkpoint and seed; several controls are averaged.
    """
    found = policies(cells).with_columns(pl.col("start").fill_null(BASE))
    by = [*OF_MODEL, "kind", "start", "start_dataset"]
    by_rule = found.filter(pl.col("rewarded_by") == RULE)
    control = by_rule.group_by(by).agg(
        truth_of_rule=pl.col("truth").mean(), variance_of_rule=(pl.col("truth_se") ** 2).mean()
    )
    proxy = found.filter(pl.col("rewarded_by") != RULE)
    variance = pl.col("truth_se") ** 2 + pl.col("variance_of_rule")
    return proxy.join(control, on=by).with_columns(change=pl.col("truth_of_rule") - pl.col("truth"), variance=variance)
