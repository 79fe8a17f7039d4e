"""Does a high score after supervised tuning mislead about the score after reinforcement?

Whoever picks the checkpoint to reinforce by its score after supervised tuning takes it that both order checkpoints
alike. Noise alone makes two orders differ, so that each is compared with one of other seeds: of the same stage, and of
the other one.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.by_halves import diverged
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, number, on_enough, undecided, with_effect
from ripeness.findings.late_differences import MANY_DATASETS
from ripeness.findings.needs import has_cells, has_tuned_policies
from ripeness.findings.sft_misleads_about_rl.orders import (
    PREDICTORS,
    Orders,
    lost_of,
    n_pairs,
    orders_of,
    tuned_then_rewarded,
)
from ripeness.findings.study_tables import Tables
from ripeness.findings.two_estimates import shown
from ripeness.stats.random_levels import Component, larger, over_units
from ripeness.stats.resampling import Estimate, with_interval
from ripeness.study.methods.settings import RULE

LEAST = 3  # checkpoints; two have one pair
NAMES = dict(zip(PREDICTORS, ("the worth by the rule", "pass@64", "the loss of the answers"), strict=True))


def judge(tables: Tables, settings: Settings) -> Finding:
    """Estimate the rank correlation that is lost between the stages; checkpoints, and many datasets, are samples."""
    found = orders_of(tuned_then_rewarded(tables.cells, tables.reported), LEAST)
    values = lost_of(found) if found else None
    if values is None:
        return undecided(Finding(), f"no dataset has {LEAST} checkpoints with two seeds that differ after both stages")
    blank = Finding(
        n_checkpoints=len({(one.series, name) for one in found for name in one.checkpoints}),
        n_seeds=min(one.values["truth"].shape[1] for one in found),
        details=tuple(row_of(one) for one in found),
        covers=covers(found),
        caveats=tuple(diverged(tables.cells, pl.col("rewarded_by") == RULE)),
    )
    variance = error_of(found, values)
    if variance is None:
        few = "too few checkpoints are left to tell how much their order says"
        return replace(undecided(blank, few), effect=number(float(values.mean())))
    effect = with_interval(float(values.mean()), variance.variance**0.5, df=variance.df, confidence=settings.confidence)
    blank = replace(blank, statement=sentence(found, effect))
    finding = with_effect(blank, effect, settings, smallest=2 * settings.smallest_accuracy)
    return on_enough(finding, max(len(one.checkpoints) for one in found), settings)


CLAIM = Claim(
    id="sft-misleads-about-rl",
    text="A high score after supervised tuning misleads about reinforcement: it orders checkpoints in another way.",
    source="Kang et al., arXiv 2510.01624, abstract (over ways of supervised tuning; here over checkpoints)",
    unit="rank correlation (tau) of checkpoints that is lost between both stages, beyond noise",
    figure="proxy-and-truth",
    needs=(has_cells, has_tuned_policies),
    judge=judge,
)


def error_of(found: list[Orders], values: np.ndarray) -> Component | None:
    """Compute the variance of the mean loss: the largest of three.

    Of the jackknife over checkpoints (Miller, Biometrika 61, 1974); of datasets, where there are enough; and of a share
    of pairs that is known from so many independent pairs (two more of each kind: Agresti and Coull 1998), which holds
    where all checkpoints happen to be in order. None where leaving out a checkpoint leaves none that differ.
    """
    points = sorted({(one.series, name) for one in found for name in one.checkpoints})
    n = len(points)
    left = [lost_of([one.without(name) if one.series == series else one for one in found]) for series, name in points]
    known = [float(one.mean()) for one in left if one is not None]
    if len(known) < n:
        return None
    jackknife = Component((n - 1) * float(np.var(known)), n - 1)
    independent = sum(len(one.checkpoints) // 2 for one in found)
    share = (float(np.clip(values.mean(), 0, 2)) / 2 * independent + 2) / (independent + 4)
    few = Component(4 * share * (1 - share) / (independent + 4), n - 1)
    whole = larger(jackknife, few)
    datasets = over_units(values) if len(values) >= MANY_DATASETS else None
    return larger(whole, datasets) if datasets else whole


def covers(found: list[Orders]) -> str:
    """Say in words what the interval covers."""
    n_datasets, n_points = len({one.dataset for one in found}), n_pairs(found)
    said = f"the sampling of checkpoints ({n_points} pairs) with their seeds"
    return f"{said}, and of {n_datasets} datasets" if n_datasets >= MANY_DATASETS else f"{said}; datasets as they are"


def sentence(found: list[Orders], effect: Estimate) -> str:
    """Say how much is lost, and what told best how far reinforcement gets."""
    told = {name: [one.told_by(name) for one in found if name in one.values] for name in PREDICTORS}
    each = [f"{NAMES[name]} {np.mean(one):.2f}" for name, one in told.items() if len(one) == len(found)]
    return (
        f"Checkpoints after supervised tuning and after the reinforcement that follows agree less in their order, by "
        f"{shown(effect)}, than those of either stage do with other seeds. Rank correlation of what supervised tuning "
        f"reaches with the worth after reinforcement: {listed(each)}."
    )


def row_of(one: Orders) -> dict[str, object]:
    """Describe one dataset: the agreement within both stages, between them, and of what else may tell."""
    within = one.agreement or (float("nan"),) * 3
    names = ("within_tuning", "within_reinforcement", "between")
    row: dict[str, object] = {"series": one.series, "dataset": one.dataset, "n_checkpoints": len(one.checkpoints)}
    row |= {name: number(value) for name, value in zip(names, within, strict=True)}
    return row | {f"told_by_{name}": number(one.told_by(name)) for name in PREDICTORS if name in one.values}
