"""The data of the theory's figures: simulated networks as tidy frames, means over seeds with 95 % intervals.

A row is a point: `panel` and `row` say where it stands, `line` what it belongs to, `time` or `n_learned` its place.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy import special

Tables = Mapping[str, pl.DataFrame]
CONFIDENCE = 0.95
BASE = "no noise"
LOSSES = {"loss": "pre-training loss", "task_loss": "loss on the task"}


def over_seeds(rows: pl.DataFrame, key: list[str], value: str, *more: str) -> pl.DataFrame:
    """Mean of `value` by key with Student's interval over seeds (null for one seed), and the means of `more`."""
    found = rows.group_by(key).agg(
        pl.col(value).mean().alias("value"), pl.col(value).std().alias("std"), pl.len().alias("n_seeds"),
        *[pl.col(name).mean() for name in more],
    )  # fmt: skip
    free = found["n_seeds"].to_numpy() - 1
    quantile = np.where(free > 0, special.stdtrit(np.maximum(free, 1), (1 + CONFIDENCE) / 2), np.nan)
    reach = pl.Series(quantile, nan_to_null=True) * found["std"] / found["n_seeds"].sqrt()
    return found.with_columns(low=found["value"] - reach, high=found["value"] + reach).drop("std").sort(key)


def labelled(prefix: str, name: str) -> pl.Expr:
    """A number as the label of a line, such as γ = 0.1."""
    return pl.format(prefix + " = {}", pl.col(name).map_elements(lambda value: f"{value:g}", return_dtype=pl.String))


def features(tables: Tables) -> pl.DataFrame:
    """Loss after noise against features learned, and against time; `expected` is the closed form.

    `turn` is the last feature that is learned at a gain: those with a singular value above 2 gamma^2 d.
    """
    learned = tables["learned_features"]
    gains = learned.filter(pl.col("strength") > pl.col("threshold")).group_by("gamma").agg(
        turn=pl.col("n_learned").max()
    )  # fmt: skip
    by_feature = over_seeds(learned, ["gamma", "n_learned"], "loss", "expected_loss").rename(
        {"expected_loss": "expected"}
    )
    by_feature = by_feature.join(gains, on="gamma", how="left").with_columns(pl.col("turn").fill_null(0))
    alone = learned.unique(["seed", "n_learned"])  # without noise every gamma is the same
    base = over_seeds(alone, ["n_learned"], "base_loss").with_columns(gamma=0.0, expected=pl.col("value"))
    noisy = tables["noisy_networks"].with_columns(expected=pl.col("base_loss") + pl.col("expected_increase"))
    by_time = over_seeds(noisy, ["gamma", "time"], "loss", "expected")
    base_by_time = over_seeds(noisy.unique(["seed", "time"]), ["time"], "base_loss", "flow_loss").rename(
        {"flow_loss": "expected"}
    )
    base_by_time = base_by_time.with_columns(gamma=0.0)
    places = {"by features learned": [by_feature, base], "by time of pre-training": [by_time, base_by_time]}
    frames = [frame.with_columns(panel=pl.lit(panel)) for panel, parts in places.items() for frame in parts]
    line = pl.when(pl.col("gamma") == 0).then(pl.lit(BASE)).otherwise(labelled("γ", "gamma"))
    return pl.concat(frames, how="diagonal").with_columns(line=line).sort("panel", "gamma", "n_learned", "time")


def sensitivity(tables: Tables) -> pl.DataFrame:
    """What noise adds to the loss against time: Monte Carlo, and `expected` in closed form."""
    noisy = tables["noisy_networks"]
    found = over_seeds(noisy, ["gamma", "time"], "increase", "expected_increase", "n_learned")
    return found.rename({"expected_increase": "expected"}).with_columns(line=labelled("γ", "gamma"))


def tuned(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Both losses after fine-tuning against time, one row of panels each; diverged fine-tunings are left out."""
    rows = rows.filter(pl.col("loss").is_not_null())
    parts = [
        over_seeds(rows, [*key, "time"], loss, "n_learned", untouched).rename({untouched: "untouched"}).with_columns(
            row=pl.lit(name)
        )
        for (loss, name), untouched in zip(LOSSES.items(), ("base_loss", "task_base_loss"), strict=True)
    ]  # fmt: skip
    return pl.concat(parts)


def fixed_rate(tables: Tables) -> pl.DataFrame:
    """Fine-tuning at each fixed rate, without a pull."""
    found = tuned(tables["tuned_networks"].filter("is_fixed", pull=0.0), ["target", "rate"])
    return found.with_columns(panel=pl.col("target"), line=labelled("rate", "rate"))


def tuned_rate(tables: Tables) -> pl.DataFrame:
    """Fine-tuning at the rate chosen for each checkpoint, without a pull; and that rate (geometric mean)."""
    rows = tables["tuned_networks"].filter("is_chosen", pull=0.0)
    rates = over_seeds(rows.with_columns(pl.col("rate").log()), ["target", "time"], "rate", "n_learned")
    rates = rates.with_columns(pl.col("value", "low", "high").exp(), row=pl.lit("rate that was chosen"))
    found = pl.concat([tuned(rows, ["target"]), rates], how="diagonal")
    return found.with_columns(panel=pl.col("row"), line=pl.col("target"))


def regularisation(tables: Tables) -> pl.DataFrame:
    """Fine-tuning under each pull: at the highest fixed rate, and at the rate chosen for each checkpoint."""
    rows = tables["tuned_networks"]
    highest = rows.filter("is_fixed")["rate"].max()
    fixed, chosen = (
        tuned(part, ["target", "pull"]) for part in (rows.filter("is_fixed", rate=highest), rows.filter("is_chosen"))
    )
    parts = [
        fixed.with_columns(pl.format("{}, rate {}", "row", pl.lit(f"{highest:g}")).alias("row")),
        chosen.with_columns(pl.format("{}, tuned rate", "row").alias("row")),
    ]
    return pl.concat(parts).with_columns(panel=pl.col("target"), line=labelled("pull", "pull"))
