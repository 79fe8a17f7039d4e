"""Is a feature of strength below 2γ²d learned at a loss after noise?"""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.needs import has_networks
from ripeness.findings.networks import BLANK, SOURCE, judged, known, over_seeds
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import NO_EFFECT

TOLERANCE = 3.0  # percent of the derived threshold


def measured_threshold(rows: pl.DataFrame) -> float:
    """Estimate the singular value at which learning a feature leaves the loss after noise as it was (Monte Carlo).

    The root of the weighted line through change / strength against strength; NaN where the line does not fall.
    """
    strength, change, error = (rows[name].to_numpy() for name in ("strength", "change", "se"))
    slope, level = np.polyfit(strength, change / strength, 1, w=strength / error)
    return float(-level / slope) if slope < 0 else np.nan


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the measured threshold with 2 gamma^2 d, and say on which side of it features are."""
    features = tables.simulated["learned_features"].filter(pl.col("n_learned") > 0)
    details, ratios = [], []
    for (gamma,), part in features.sort("gamma").partition_by("gamma", as_dict=True, maintain_order=True).items():
        derived = part["threshold"][0]
        found = [measured_threshold(rows) for _, rows in sorted(part.group_by("seed"), key=lambda one: one[0])]
        ratios.append(100 * (np.array(found) / derived - 1))
        means = part.group_by("n_learned").agg(pl.col("change").mean(), pl.col("strength").first())
        above = means.filter(pl.col("strength") > derived)
        below = means.filter(pl.col("strength") < derived)
        row = {"gamma": gamma, "derived": derived, "measured": float(np.mean(found))}
        row |= {"above": above.height, "above_lower_the_loss": int((above["change"] < 0).sum())}
        row |= {"below": below.height, "below_raise_the_loss": int((below["change"] > 0).sum())}
        details.append(row | known(over_seeds(ratios[-1], settings)))
    said = "; ".join(f"γ = {row['gamma']:g}: {row['measured']:.4f} and {row['derived']:.4f}" for row in details)
    n, right = (
        sum(row[key] for row in details for key in keys)
        for keys in (("above", "below"), ("above_lower_the_loss", "below_raise_the_loss"))
    )
    statement = (
        f"Thresholds, measured by Monte Carlo and derived: {said}. {right} of {n} features change the loss after noise "
        "in the direction that the derived threshold predicts."
    )
    finding = replace(BLANK, statement=statement, details=tuple(details))
    mean = np.mean(ratios, axis=0)
    return judged(finding, mean, settings, smallest=TOLERANCE)


CLAIM = Claim(
    id="learned-at-a-loss",
    text="A feature of strength below 2γ²d is learned at a loss after noise",
    source=SOURCE,
    unit="measured threshold less the derived one, %",
    figure="theory-features",
    needs=(has_networks,),
    judge=judge,
    expects=NO_EFFECT,
)
