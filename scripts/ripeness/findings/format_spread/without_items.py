"""Spread over formats where there are measurements and no items.

It is never decided: a spread is positive by sampling alone, and without items there is no null band to hold it against.
"""

import numpy as np
import polars as pl

from ripeness.findings.finding import Finding, Settings, listed, signed, undecided
from ripeness.findings.study_tables import Tables
from ripeness.findings.without_items import PLACE, caveats_of, covers_of, halves, method_caveats
from ripeness.stats.resampling import kendall, mean_of
from ripeness.tables.columns import IS_OWN
from ripeness.tables.intervals import compared, scores
from ripeness.tables.single_numbers import as_number


def spreads_of(measurements: pl.DataFrame) -> pl.DataFrame:
    """Compute each model's highest minus lowest score over formats and its standard deviation, then the means.

    One row for each condition (tuned, on what it was tuned on, or untouched), probe and checkpoint; the mean is over
    formats tuned in, methods and seeds. The standard deviation has n - 1 below.
    """
    rows = compared(scores(measurements)).filter(IS_OWN, pl.col("probe_kind") != "text")
    is_base = pl.col("method") == "base"
    rows = rows.with_columns(
        condition=pl.when(is_base).then(pl.lit("untouched")).otherwise(pl.lit("tuned")),
        trained=pl.when(is_base).then(pl.lit("base")).otherwise("format"),
    )
    by, model = ["condition", *PLACE, "probe", "shots"], ["dataset", "method", "trained", "learning_rate", "seed"]
    value = pl.col("value")
    models = rows.group_by(*by, *model).agg(
        spread=value.max() - value.min(), deviation=value.std(ddof=1), best=value.max(), n_formats=value.len()
    )
    found = models.filter(pl.col("n_formats") > 1)
    means = found.group_by(by).agg(
        pl.col("spread", "deviation", "best").mean(), pl.col("n_formats").max(), n_models=pl.len()
    )
    return means.sort(by)


def judge(tables: Tables, settings: Settings) -> Finding:
    """Say how far formats are apart at earlier and later checkpoints; see claim.py."""
    measurements = tables.reported
    caveats = (*caveats_of(measurements, settings), *method_caveats(measurements))
    spreads = spreads_of(measurements)
    if spreads.is_empty():
        return undecided(Finding(caveats=caveats), "no dataset was asked in two formats or more")
    said = [trend_sentence(spreads.filter(condition=name), name, settings) for name in ("tuned", "untouched")]
    missing = sorted(
        set(spreads["probe"]) - set(spreads.filter(pl.col("n_formats") == spreads["n_formats"].max())["probe"])
    )
    if missing:
        caveats = (
            *caveats,
            f"Asked in fewer formats than the others, which makes a spread smaller: {listed(missing)}.",
        )
    return Finding(
        statement="Cannot be decided: without items there is no null band, and a spread is positive by sampling alone. "
        + " ".join(text for text in said if text),
        covers=covers_of(measurements, is_tuned=True),
        n_checkpoints=spreads.select("series", "checkpoint").unique().height,
        caveats=caveats,
        details=tuple(spreads.to_dicts()),
    )


def trend_sentence(spreads: pl.DataFrame, name: str, settings: Settings) -> str:
    """Say how the spread of one condition changes from the earlier to the later half of the checkpoints."""
    if spreads.is_empty():
        return ""
    early, later, taus = [], [], []
    for _, part in spreads.filter(pl.col("phase") != "annealed").group_by("series", "probe", maintain_order=True):
        ordered = part.sort("tokens", "checkpoint")
        if ordered.height < 2:
            continue
        first, last = halves(ordered["spread"].to_numpy())
        early.append(float(first.mean()))
        later.append(float(last.mean()))
        taus.append(kendall(ordered["deviation"].to_numpy()[:, None])[0])
    head = "After tuning" if name == "tuned" else "Before tuning"
    if not early:
        apart = as_number(spreads["spread"].mean())
        return f"{head} the best and the worst format are {apart:.2f} apart at one checkpoint."
    tau = float(mean_of(np.array(taus)))
    return (
        f"{head} the best and the worst format are {np.mean(early):.2f} apart at earlier checkpoints and "
        f"{np.mean(later):.2f} at later ones (Kendall's tau of the standard deviation with tokens {signed(tau)})."
    )
