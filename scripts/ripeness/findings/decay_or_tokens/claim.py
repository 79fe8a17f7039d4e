"""Is it the tokens, or the decay of the learning rate? Annealed checkpoints against stable ones at equal tokens.

Rofin et al. (arXiv 2604.13627) and Catalan-Tatjer et al. (2025) hold that decay, not tokens, makes checkpoints brittle.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, between, numbers, on_enough, signed, undecided, with_effect
from ripeness.findings.needs import has_cells, has_noise_or_tuned_text, has_several_phases
from ripeness.findings.over_runs import covers_runs, over_runs
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import NOISE, PLACE, TEXT, TREATED, in_trend
from ripeness.stats.resampling import Estimate
from ripeness.tables.intervals import mean_or_null
from ripeness.tables.single_numbers import as_number

CHANGES = {"noise": NOISE, "tuning": TREATED}  # what tells repeats of a change apart
REPEATS = {"noise": "draws of the noise", "tuning": "tuning seeds"}


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare loss increases (log ratio) between checkpoints with equal tokens; by noise, else by tuning.

    A pair is of one run, or of two runs of one model that differ in their schedule alone and have the same seed.
    """
    damages = {} if tables.sensitivity is None else {"noise": noise_damage(tables.sensitivity)}
    damages["tuning"] = tuning_damage(tables.measurements)
    found = {name: paired(damage, CHANGES[name], settings) for name, damage in damages.items()}
    found = {name: pairs for name, pairs in found.items() if not pairs.is_empty()}
    if not found:
        return undecided(Finding(), "no decayed or annealed checkpoint has a stable one with equal tokens")
    name, pairs = next(iter(found.items()))
    blank = Finding(
        figure="sensitivity" if name == "noise" else "pretraining-text",
        n_checkpoints=pairs.select("series", "checkpoint").unique().height * 2,
        n_seeds=pairs["repeat"].n_unique(),
        covers=covers_runs(pairs["pretraining_seed"].n_unique(), pairs["repeat"].n_unique(), REPEATS[name]),
        details=tuple(row for kind, some in found.items() for row in rows(some, kind, settings)),
    )
    result = contrast(pairs, settings)
    if result is None:
        return undecided(blank, "a single pair and repeat give no estimate of variation")
    trends = {kind: slope(damages[kind], CHANGES[kind]) for kind in found}
    finding = replace(
        with_effect(blank, result, settings, smallest=0.0),
        statement=sentence(found, trends, settings),
        caveats=tuple(caveats(pairs, damages[name])),
    )
    return on_enough(finding, finding.n_checkpoints, settings)


CLAIM = Claim(
    id="decay-or-tokens",
    text="At equal tokens, a checkpoint whose learning rate has decayed loses more by the same change.",
    source="Rofin et al., arXiv 2604.13627; against Springer et al., arXiv 2503.19206, who speak of tokens",
    unit="doublings of the loss increase, decayed against stable at equal tokens",
    figure="sensitivity",
    needs=(has_cells, has_noise_or_tuned_text, has_several_phases),
    judge=judge,
)


def noise_damage(sensitivity: pl.DataFrame) -> pl.DataFrame:
    """Collect what noise added to the loss: a row for each checkpoint, scale and draw."""
    rows_ = sensitivity.filter(pl.col("perturbation") == "noise")
    return rows_.select(*PLACE, "pretraining_seed", *NOISE, "base_loss", "increase", repeat="noise_seed")


def tuning_damage(measurements: pl.DataFrame) -> pl.DataFrame:
    """Collect what tuning added to the loss on running text by checkpoint, cell and seed; formats are averaged."""
    losses = measurements.filter(pl.col("probe_kind") == TEXT, pl.col("metric") == "loss")
    base = losses.filter(pl.col("method") == "base").select("series", "checkpoint", "probe", base_loss="value")
    tuned = (
        losses.filter(pl.col("method") != "base")
        .group_by(*PLACE, "pretraining_seed", *TREATED, repeat="seed")
        .agg(mean_or_null("value"))
    )
    joined = tuned.join(base, on=["series", "checkpoint", "probe"])
    return joined.with_columns(increase=pl.col("value") - pl.col("base_loss")).drop("value")


def paired(damage: pl.DataFrame, keys: list[str], settings: Settings) -> pl.DataFrame:
    """Pair decayed with stable checkpoints of equal tokens: `ratio` in doublings, `base` of the base losses."""
    family = pl.col("series").replace_strict(dict(settings.families), default=pl.col("series"))
    rows_ = damage.with_columns(family=family).filter(pl.col("tokens") > 0, pl.col("increase") > 0)
    rows_ = rows_.filter(pl.col("increase").is_finite())
    on = ["family", "pretraining_seed", "tokens", *keys, "repeat"]
    stable = rows_.filter(pl.col("phase") == "stable").select(
        *on, stable="checkpoint", before="increase", base="base_loss"
    )
    decayed = rows_.filter(pl.col("phase") != "stable")
    pairs = decayed.join(stable, on=on, nulls_equal=True)
    return pairs.with_columns(
        ratio=(pl.col("increase") / pl.col("before")).log(2), base_change=pl.col("base_loss") - pl.col("base")
    )


def contrast(pairs: pl.DataFrame, settings: Settings) -> Estimate | None:
    """Estimate the mean ratio over repeats and pre-training runs; see `over_runs`."""
    means = pairs.group_by("pretraining_seed", "repeat").agg(pl.col("ratio").mean()).sort("pretraining_seed", "repeat")
    runs = {str(run): own["ratio"].to_list() for (run,), own in means.group_by("pretraining_seed")}
    return over_runs(runs, confidence=settings.confidence)


def slope(damage: pl.DataFrame, keys: list[str]) -> float | None:
    """Average the least-squares slopes of log increase against log tokens among checkpoints of one phase."""
    rows_ = in_trend(damage).filter(pl.col("increase") > 0, pl.col("increase").is_finite())
    slopes = []
    for _, part in rows_.group_by("series", *keys):
        own = part.group_by("tokens").agg(pl.col("increase").log(2).mean()).sort("tokens")
        own = own.filter(pl.col("tokens") >= own["tokens"].median())  # where there is decay, late in pre-training
        if own.height > 1:
            slopes.append(np.polyfit(np.log2(own["tokens"].to_numpy()), own["increase"].to_numpy(), 1)[0])
    return float(np.mean(slopes)) if slopes else None


def sentence(found: Mapping[str, pl.DataFrame], trends: Mapping[str, float | None], settings: Settings) -> str:
    """Say how much more decayed checkpoints lose, and what tokens alone do."""
    parts = []
    for name, pairs in found.items():
        result = contrast(pairs, settings)
        times = 2 ** as_number(pairs["ratio"].mean())
        reach = f", {signed(result.effect)} {between(result.low, result.high)} doublings" if result else ""
        text = f"by {name} a decayed checkpoint loses {times:.2f} times what a stable one of equal tokens does{reach}"
        trend = trends[name]
        if trend is not None:
            text += f" (tokens alone: {signed(trend)} doublings for a doubling of tokens, late in pre-training)"
        parts.append(text)
    change = as_number(next(iter(found.values()))["base_change"].mean())
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}. Before the change its loss differs by {signed(change)} nats a token."


def caveats(pairs: pl.DataFrame, damage: pl.DataFrame) -> list[str]:
    """List caveats: few pairs, increases that have no ratio."""
    n_pairs = pairs.select("series", "checkpoint").unique().height
    found = [f"One pair of checkpoints: {pairs['checkpoint'][0]} against {pairs['stable'][0]}."] if n_pairs == 1 else []
    n_odd = damage.height - damage.filter(pl.col("increase") > 0, pl.col("increase").is_finite()).height
    if n_odd:
        found.append(f"{n_odd} changes did not raise the loss, or made it infinite, and have no ratio.")
    return found


def rows(pairs: pl.DataFrame, name: str, settings: Settings) -> list[dict[str, object]]:
    """Make a row of `details` for each pair and size of change."""
    keys = ["series", "checkpoint", "stable", "tokens", *CHANGES[name]]
    found = []
    for key, part in sorted(pairs.group_by(keys), key=lambda pair: str(pair[0])):
        result = contrast(part, settings)
        interval = numbers(result) if result else {"effect": as_number(part["ratio"].mean()), "low": None, "high": None}
        levels = {"increase": as_number(part["increase"].mean()), "stable_increase": as_number(part["before"].mean())}
        found.append({"change": name, **dict(zip(keys, key, strict=True)), **interval, **levels})
    return found
