"""Losses after tuning by checkpoint, dataset, method and rate, in nats a token.

Runs that differ by their seed alone are one line. An interval is of 95 %: over pre-training runs where there are
enough, else over the tuning seeds of each run.
"""

import polars as pl

from ripeness.figures.change_sizes import NONE, over_repeats
from ripeness.figures.frames import tidy, with_labels
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import TEXT, TREATED

COST = "what tuning adds to the loss on running text"
AS_ASKED = (pl.col("probe") == pl.col("dataset")) & (pl.col("probe_format") == pl.col("format"))


def losses_after_tuning(tables: Tables, settings: Settings) -> pl.DataFrame:
    """Collect losses after tuning (running text, also before; answers) and the displacement of weights, by rate."""
    measured = tables.measurements
    tuned = pl.col("method") != "base"
    text = measured.filter(pl.col("probe_kind") == TEXT, pl.col("metric") == "loss")
    own = measured.filter(tuned, AS_ASKED, pl.col("metric") == "answer_loss", pl.col("split") == "test")
    moved = tables.cells.filter(pl.col("displacement").is_not_null()).rename({"displacement": "value"})
    bent = tables.cells.filter(pl.col("curvature").is_not_null()).rename({"curvature": "value"})
    parts = {
        "loss on running text": text.filter(tuned),
        "loss on answers": own,
        "displacement of the weights": moved.with_columns(probe=pl.lit("weights")),
        "curvature along it": bent.with_columns(probe=pl.lit("weights")),
    }
    frames = [
        over_repeats(part, TREATED, "seed", settings).with_columns(row=pl.lit(title))
        for title, part in parts.items()
        if not part.is_empty()
    ]
    if not frames:
        return pl.DataFrame()
    tunings = text.filter(tuned).select("series", "dataset", "method").unique()
    base = text.filter(~tuned).drop("dataset", "method", "learning_rate").join(tunings, on="series")
    base = base.with_columns(learning_rate=pl.lit(0.0))
    frames.append(over_repeats(base, TREATED, "seed", settings).with_columns(row=pl.lit("loss on running text")))
    frame = pl.concat([frame.select(frames[0].columns) for frame in frames])
    frame = pl.concat([frame, added_by_tuning(frame)])
    is_grid = (pl.col("learning_rate").n_unique().over("row", "method") > 2).any()
    rate = pl.when(is_grid).then(pl.col("learning_rate").cast(pl.String)).otherwise("method")
    frame = frame.with_columns(recipe=pl.when(pl.col("learning_rate") == 0).then(pl.lit(NONE)).otherwise(rate))
    by_method = is_grid & (pl.col("method").n_unique() > 1)
    tuning = pl.when(by_method).then(pl.format("{}, {}", "dataset", "method")).otherwise("dataset")
    return tidy(with_labels(frame.with_columns(tuning=tuning), "tuning"), ["recipe", "probe"])


def added_by_tuning(losses: pl.DataFrame) -> pl.DataFrame:
    """Take the loss on running text of the untouched checkpoint from that of its tuned models, with their interval."""
    text = losses.filter(pl.col("row") == "loss on running text")
    keys = ["series", "checkpoint", "probe", "dataset", "method"]
    base = text.filter(pl.col("learning_rate") == 0).select(*keys, before="value")
    found = text.filter(pl.col("learning_rate") > 0).join(base, on=keys)
    moved = [(pl.col(name) - pl.col("before")).alias(name) for name in ("value", "low", "high")]
    return found.with_columns(*moved, row=pl.lit(COST)).select(losses.columns)
