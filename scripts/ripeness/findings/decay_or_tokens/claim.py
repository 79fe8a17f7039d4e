"""Is it the tokens, or the decay of the learning rate? Annealed checkpoints against stable ones at equal tokens.

Rofin et al. (arXiv 2604.13627) and Catalan-Tatjer et al. (2025) hold that decay, not tokens, makes checkpoints brittle.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, numbers, signed, times, undecided, with_effect
from ripeness.findings.needs import has_cells, has_noise_or_tuned_text, has_several_phases
from ripeness.findings.over_checkpoints import (
    LEAST_POINTS,
    Course,
    Over,
    covers_checkpoints,
    neighbour_caveats,
    neighbours_of,
)
from ripeness.findings.over_runs import over_runs
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import NOISE, PLACE, TEXT, TREATED, in_trend
from ripeness.stats.random_levels import Component, combined, over_checkpoints, over_units
from ripeness.stats.resampling import with_interval
from ripeness.study.study_config import BASE
from ripeness.tables.intervals import mean_or_null
from ripeness.tables.single_numbers import as_number
from ripeness.tables.ways_of_tuning import ways_from_checkpoints

CHANGES = {"noise": NOISE, "tuning": TREATED}  # what tells repeats of a change apart
REPEATS = {"noise": "draws of the noise", "tuning": "tuning seeds"}


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare loss increases (log ratio) between checkpoints with equal tokens; by noise, else by tuning.

    A pair is of one run, or of two runs of one model that differ in their schedule alone and have the same seed. Both
    of its checkpoints scatter, which a pair does not show and stable checkpoints of the same run do.
    """
    damages = {} if tables.sensitivity is None else {"noise": noise_damage(tables.sensitivity)}
    kept = [BASE, *ways_from_checkpoints(tables.cells)]
    damages["tuning"] = tuning_damage(tables.measurements.filter(pl.col("method").is_in(kept)))
    found = {name: paired(damage, CHANGES[name], settings) for name, damage in damages.items()}
    found = {name: pairs for name, pairs in found.items() if not pairs.is_empty()}
    if not found:
        return undecided(Finding(), "no decayed or annealed checkpoint has a stable one with equal tokens")
    name, pairs = next(iter(found.items()))
    blank = Finding(
        figure="sensitivity" if name == "noise" else "pretraining-text",
        n_checkpoints=pairs.select("series", "checkpoint").unique().height * 2,
        n_seeds=pairs["repeat"].n_unique(),
        details=tuple(row for kind, some in found.items() for row in rows(some, damages[kind], kind, settings)),
    )
    results = {kind: contrast(some, damages[kind], CHANGES[kind], settings) for kind, some in found.items()}
    over = results[name]
    if over.estimate is None:
        return undecided(blank, f"{why_not(pairs)}. {sentence(found, results, {})}".rstrip("."))
    trends = {kind: slope(damages[kind], CHANGES[kind]) for kind in found}
    repeats = f"{pairs['repeat'].n_unique()} {REPEATS[name]}"
    return replace(
        with_effect(blank, over.estimate, settings, smallest=settings.smallest_doublings),
        covers=covers_checkpoints(over, pairs["pretraining_seed"].n_unique(), repeats),
        statement=sentence(found, results, trends),
        caveats=(*neighbour_caveats(over.neighbours), *caveats(pairs, damages[name])),
    )


CLAIM = Claim(
    id="decay-or-tokens",
    text="At equal tokens, the same change costs more loss in a checkpoint whose learning rate has decayed.",
    source="Rofin et al., arXiv 2604.13627; against Springer et al., arXiv 2503.19206, who speak of tokens",
    unit="power of two: 1 if a decayed checkpoint loses twice what a stable one of equal tokens does, 0 if as much",
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
    return joined.with_columns(increase=pl.col("value") - pl.col("base_loss")).drop("value").sort(pl.all())


def raised(damage: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Keep changes of trained checkpoints that raised the loss to a finite one, and name the family of each run."""
    family = pl.col("series").replace_strict(dict(settings.families), default=pl.col("series"))
    kept = damage.filter(pl.col("tokens") > 0, pl.col("increase") > 0, pl.col("increase").is_finite())
    return kept.with_columns(family=family)


def paired(damage: pl.DataFrame, keys: list[str], settings: Settings) -> pl.DataFrame:
    """Pair decayed with stable checkpoints of equal tokens: `ratio` in doublings, `base` of the base losses."""
    rows_ = raised(damage, settings)
    on = ["family", "pretraining_seed", "tokens", *keys, "repeat"]
    stable = rows_.filter(pl.col("phase") == "stable").select(
        *on, stable="checkpoint", before="increase", base="base_loss"
    )
    decayed = rows_.filter(pl.col("phase") != "stable")
    pairs = decayed.join(stable, on=on, nulls_equal=True, maintain_order="left_right")
    return pairs.with_columns(
        ratio=(pl.col("increase") / pl.col("before")).log(2), base_change=pl.col("base_loss") - pl.col("base")
    )


def contrast(pairs: pl.DataFrame, damage: pl.DataFrame, keys: list[str], settings: Settings) -> Over:
    """Estimate the mean ratio of pairs over pre-training runs; see `over_runs` for MIN_RUNS of them."""
    runs = {seed: own for (seed,), own in sorted(pairs.group_by("pretraining_seed"), key=str)}
    means = {str(seed): [as_number(own["ratio"].mean())] for seed, own in runs.items()}
    if len(runs) >= MIN_RUNS:
        return Over(over_runs(means, confidence=settings.confidence))
    stable = {seed: stable_course(own, damage, keys, settings) for seed, own in runs.items()}
    near = neighbours_of([course for course in stable.values() if course])
    parts = [error_of_pairs(own, stable[seed], near.rho) for seed, own in runs.items()]
    if None in parts:
        return Over(None, near)
    whole = combined([part for part in parts if part])
    effect, se = float(np.mean([mean for (mean,) in means.values()])), float(np.sqrt(whole.variance)) / len(runs)
    return Over(with_interval(effect, se, df=whole.df, confidence=settings.confidence), near)


def stable_course(pairs: pl.DataFrame, damage: pl.DataFrame, keys: list[str], settings: Settings) -> Course | None:
    """Follow what the same changes add to the loss over the stable checkpoints of a run; None for too few of them."""
    rows_ = raised(damage, settings).filter(pl.col("phase") == "stable")
    rows_ = rows_.join(pairs.select("family", "pretraining_seed", *keys, "repeat").unique(), on=[
        "family", "pretraining_seed", *keys, "repeat"], how="semi", nulls_equal=True)  # fmt: skip
    change = pl.struct(*keys, "repeat")
    means = rows_.group_by("tokens", change.alias("change"), maintain_order=True).agg(pl.col("increase").log(2).mean())
    n_tokens = means["tokens"].n_unique()
    whole = means.filter(pl.len().over("change") == n_tokens)
    curve = whole.group_by("tokens", maintain_order=True).agg(pl.col("increase").mean()).sort("tokens")
    if curve.height < LEAST_POINTS:
        return None
    place = np.log2(curve["tokens"].to_numpy().astype(float))
    return Course(str(pairs["pretraining_seed"][0]), place, curve["increase"].to_numpy()[:, None])


def error_of_pairs(pairs: pl.DataFrame, stable: Course | None, rho: float) -> Component | None:
    """Compute the variance of the mean ratio of one run's pairs; None where too little tells it.

    Each pair holds the scatter of two checkpoints, which is that of stable ones about a smooth curve, or what pairs or
    repeats vary by where that is more. One pair without stable neighbours predicts nothing, as one repeat does.
    """
    repeats = over_units(pairs.group_by("repeat", maintain_order=True).agg(pl.col("ratio").mean())["ratio"].to_numpy())
    among = over_units(
        pairs.group_by("series", "checkpoint", "stable", maintain_order=True)
        .agg(pl.col("ratio").mean())["ratio"]
        .to_numpy()
    )
    alike = None
    if stable is not None:
        tokens = np.log2(pairs["tokens"].to_numpy().astype(float))
        weights = np.array([np.mean(np.isclose(tokens, place)) for place in stable.place])
        one = over_checkpoints(stable.place, stable.values, weights, rho)
        alike = Component(2 * one.variance, one.df) if one else None
    scatter = [part for part in (alike, among) if part]
    if repeats is None or not scatter:
        return None
    return max([*scatter, repeats], key=lambda part: part.variance)


def why_not(pairs: pl.DataFrame) -> str:
    """Say why the mean ratio has no interval."""
    if pairs["repeat"].n_unique() < 2:
        return "a single repeat gives no estimate of variation between repeats"
    return (
        "one pair of checkpoints does not show how checkpoints scatter, nor do fewer than "
        f"{LEAST_POINTS} stable checkpoints of the same run"
    )


def slope(damage: pl.DataFrame, keys: list[str]) -> float | None:
    """Average the least-squares slopes of log increase against log tokens among checkpoints of one phase."""
    rows_ = in_trend(damage).filter(pl.col("increase") > 0, pl.col("increase").is_finite())
    slopes = []
    for _, part in rows_.group_by("series", *keys, maintain_order=True):
        own = part.group_by("tokens").agg(pl.col("increase").log(2).mean()).sort("tokens")
        own = own.filter(pl.col("tokens") >= own["tokens"].median())  # where there is decay, late in pre-training
        if own.height > 1:
            slopes.append(np.polyfit(np.log2(own["tokens"].to_numpy()), own["increase"].to_numpy(), 1)[0])
    return float(np.mean(slopes)) if slopes else None


def sentence(found: Mapping[str, pl.DataFrame], results: Mapping[str, Over], trends: Mapping[str, float | None]) -> str:
    """Say how much more decayed checkpoints lose, and what tokens alone do."""
    parts = []
    for name, pairs in found.items():
        result = results[name].estimate
        ratio = as_number(pairs["ratio"].mean())
        factor = times(result.effect, result.low, result.high) if result else times(ratio)
        text = f"by {name} a decayed checkpoint loses {factor} what a stable one of equal tokens does"
        trend = trends.get(name)
        if trend is not None:
            text += f" (twice the tokens alone: {times(trend)} as much, late in pre-training)"
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


def rows(pairs: pl.DataFrame, damage: pl.DataFrame, name: str, settings: Settings) -> list[dict[str, object]]:
    """Make a row of `details` for each pair and size of change, if the settings want any."""
    keys = ["series", "checkpoint", "stable", "tokens", *CHANGES[name]]
    found: list[dict[str, object]] = []
    if not settings.has_details:
        return found
    for key, part in sorted(pairs.group_by(keys), key=lambda pair: str(pair[0])):
        result = contrast(part, damage, CHANGES[name], settings).estimate
        interval = numbers(result) if result else {"effect": as_number(part["ratio"].mean()), "low": None, "high": None}
        levels = {"increase": as_number(part["increase"].mean()), "stable_increase": as_number(part["before"].mean())}
        found.append({"change": name, **dict(zip(keys, key, strict=True)), **interval, **levels})
    return found
