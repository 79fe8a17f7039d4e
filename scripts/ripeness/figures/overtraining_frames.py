"""The tidy frames behind the figures on overtraining; columns as in figure_data.py, losses in nats a token.

Runs that differ by their seed alone are one line. An interval is of 95 %: over pre-training runs where there are
enough, else over the draws of the noise or the tuning seeds of each run.
"""

import numpy as np
import polars as pl
from scipy import special

from ripeness.figures.frames import tidy, with_labels
from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.degradation.claim import readings
from ripeness.findings.finding import Settings
from ripeness.findings.overtraining import Measured
from ripeness.findings.rate_grids import grids_of
from ripeness.findings.treated_curves import PLACE, TEXT, TREATED
from ripeness.tables.columns import HAS_VALUE

NONE = "none"  # the size of no change, and the recipe of the untouched model
AS_ASKED = (pl.col("probe") == pl.col("dataset")) & (pl.col("probe_format") == pl.col("format"))


def over_repeats(rows: pl.DataFrame, by: list[str], repeat: str, settings: Settings) -> pl.DataFrame:
    """Mean of `value` by checkpoint and `by`, with `low` and `high`; the series becomes what its runs share.

    Repeats without a number are left out.
    """
    rows = rows.filter(HAS_VALUE)
    keys = [*PLACE, *by]
    run = pl.col("series").replace_strict(dict(settings.runs), default=pl.col("series"))
    repeats = rows.group_by(*keys, repeat).agg(pl.col("value").mean())
    series = repeats.group_by(keys).agg(pl.col("value").mean(), within=pl.col("value").var() / pl.len(), n=pl.len())
    points = (
        series.with_columns(series=run)
        .group_by(keys)
        .agg(
            pl.col("value").mean(),
            n_runs=pl.len(),
            n_seeds=pl.col("n").sum(),
            between=pl.col("value").var() / pl.len(),
            within=pl.col("within").sum() / pl.len() ** 2,
        )
    )
    has_runs = pl.col("n_runs") >= MIN_RUNS
    df = pl.when(has_runs).then(pl.col("n_runs") - 1).otherwise(pl.col("n_seeds") - pl.col("n_runs"))
    points = points.with_columns(df=df, se=pl.when(has_runs).then("between").otherwise("within").sqrt())
    quantile = special.stdtrit(np.maximum(points["df"].to_numpy(), 1).astype(float), 0.975)
    reach = pl.lit(pl.Series(quantile)) * pl.col("se")
    return points.with_columns(low=pl.col("value") - reach, high=pl.col("value") + reach).drop(
        "df", "se", "between", "within"
    )


def sensitivity(tables: Measured, settings: Settings) -> pl.DataFrame:
    """What noise and rounding add to the loss on running text, and the loss with them, by size of the change."""
    rows = tables.sensitivity
    if rows is None or rows.is_empty():
        return pl.DataFrame()
    rounded = pl.col("perturbation") == "rounding"
    size = pl.when(rounded).then(pl.format("{} bits", pl.col("scale").cast(pl.Int64)))
    rows = rows.filter(pl.col("perturbation").is_in(["noise", "rounding"])).with_columns(
        kind=pl.when(rounded).then(pl.lit("rounding")).otherwise(pl.format("noise, {}", "normalisation")),
        size=size.otherwise(pl.col("scale").cast(pl.String)),
        repeat=pl.col("noise_seed").fill_null(0),
    )
    keys = ["kind", "size", "scale", "probe"]
    frames = [
        over_repeats(rows.rename({column: "value"}), keys, "repeat", settings)
        .with_columns(row=pl.lit(title))
        for column, title in (("increase", "increase of the loss"), ("loss", "loss after the change"))
    ]  # fmt: skip
    base = rows.select(*PLACE, "kind", "probe", value="base_loss", repeat=pl.lit(0)).unique()
    base = over_repeats(base.with_columns(size=pl.lit(NONE), scale=pl.lit(0.0)), keys, "repeat", settings)
    frames.append(base.with_columns(row=pl.lit("loss after the change")))
    frame = pl.concat([frame.select(frames[0].columns) for frame in frames])
    return tidy(with_labels(frame, panel_of(frame, "kind")), ["kind", "size", "probe"])


def panel_of(frame: pl.DataFrame, name: str) -> str:
    """The column that names a small multiple."""
    return name if frame["probe"].n_unique() == 1 else "probe"


def tuning_loss(tables: Measured, settings: Settings) -> pl.DataFrame:
    """Loss on running text (also before) and on answers after tuning, and how far it has moved the weights, by rate."""
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
    is_grid = (pl.col("learning_rate").n_unique().over("row", "method") > 2).any()
    rate = pl.when(is_grid).then(pl.col("learning_rate").cast(pl.String)).otherwise("method")
    frame = frame.with_columns(recipe=pl.when(pl.col("learning_rate") == 0).then(pl.lit(NONE)).otherwise(rate))
    by_method = is_grid & (pl.col("method").n_unique() > 1)
    tuning = pl.when(by_method).then(pl.format("{}, {}", "dataset", "method")).otherwise("dataset")
    return tidy(with_labels(frame.with_columns(tuning=tuning), "tuning"), ["recipe", "probe"])


def pareto(tables: Measured, settings: Settings) -> pl.DataFrame:
    """What is learned against what is lost: loss on answers and on running text of the same models, by rate."""
    frame = tuning_loss(tables, settings)
    if frame.is_empty():
        return frame
    # an untrained model has nothing to lose, and would set the scale
    frame = frame.filter(pl.col("tokens") > 0).with_columns(panel="dataset")
    keys = ["series", "checkpoint", "tokens", "phase", "label", "order", "panel", "dataset", "method", "learning_rate"]
    text = frame.filter(row="loss on running text").select(*keys, "probe", "recipe", "value", "low", "high")
    answers = frame.filter(row="loss on answers").select(*keys, answer="value")
    return text.join(answers, on=keys).with_columns(row=pl.lit("pareto")).sort(keys)


def four_readings(tables: Measured, settings: Settings) -> pl.DataFrame:
    """Loss on running text after tuning, as four readings of one grid of rates have it; one with one rate has none."""
    grids = [grid for grid in grids_of(tables.measurements, tables.cells, settings) if len(grid.rates) > 1]
    rows = []
    for name, curves in readings(grids, tables.cells).items():
        for curve in curves:
            own = {key: curve.key[key] for key in ("probe", "dataset", "method")}
            place = {"row": name, "series": settings.runs.get(curve.runs[0], curve.runs[0]), "phase": "in the trend"}
            rows += [
                place | own | {"checkpoint": str(tokens), "tokens": int(tokens), "repeat": repeat, "value": value}
                for tokens, values in zip(curve.tokens, curve.values, strict=True)
                for repeat, value in enumerate(values)
            ]
    if not rows:
        return pl.DataFrame()
    keys = ["row", "series", "checkpoint", "tokens", "phase", "probe", "dataset", "method"]
    value, n = pl.col("value"), pl.len()
    # rates of one reading are averaged within a repeat
    frame = pl.DataFrame(rows).group_by(*keys, "repeat").agg(value.mean())
    frame = frame.group_by(keys).agg(value.mean(), se=(value.var() / n).sqrt(), n_seeds=n)
    quantile = special.stdtrit(np.maximum(frame["n_seeds"].to_numpy() - 1, 1).astype(float), 0.975)
    reach = pl.lit(pl.Series(quantile)) * pl.col("se")
    frame = frame.with_columns(low=value - reach, high=value + reach).drop("se")
    return tidy(with_labels(frame, "row").with_columns(row=pl.col("dataset")), ["method", "probe"])
