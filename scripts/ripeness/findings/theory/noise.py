"""Two claims on noise: it costs more the more is learned, and small features are learned at a loss after it."""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.finding import Finding, Settings
from ripeness.findings.theory.shared import Tables, blank, grid, judged, known, over_seeds
from ripeness.stats.resampling import decide, decide_equivalence, kendall

TOLERANCE = 3.0  # percent of the derived threshold

GROWS = blank(
    "sensitivity-grows",
    "What noise of a fixed size costs grows with what is learned",
    "theory-sensitivity",
    "rank correlation with time (Kendall)",
)
THRESHOLD = blank(
    "learned-at-a-loss",
    "A feature of strength below 2γ²d is learned at a loss after noise",
    "theory-features",
    "measured threshold less the derived one, %",
)


def sensitivity_grows(tables: Tables, settings: Settings) -> Finding:
    """Rank trend of the increase over checkpoints, mean over gammas; and how near Monte Carlo is to the closed form."""
    noisy = tables["noisy_networks"]
    details, trends = [], []
    for (gamma,), part in noisy.sort("gamma").partition_by("gamma", as_dict=True, maintain_order=True).items():
        values = grid(part, "increase")
        trends.append(kendall(values.T))
        off = (part["increase"] / part["expected_increase"] - 1).abs().max()
        first, last = values[:, 0].mean(), values[:, -1].mean()
        row = {"gamma": gamma, "first": first, "last": last, "largest_deviation_from_closed_form": off}
        details.append(row | known(over_seeds(trends[-1], settings)))
    ends = "; ".join(f"γ = {row['gamma']:g}: {row['first']:.3f} to {row['last']:.3f}" for row in details)
    off = max(row["largest_deviation_from_closed_form"] for row in details)
    statement = (
        f"Loss that noise adds at the first checkpoint and at the last: {ends}. A single measurement is at most "
        f"{100 * off:.1f} % off the closed form."
    )
    finding = replace(GROWS, statement=statement, details=tuple(details), n_checkpoints=noisy["checkpoint"].n_unique())
    return judged(finding, np.mean(trends, axis=0), settings, decide, smallest=settings.smallest_effect)


def measured_threshold(rows: pl.DataFrame) -> float:
    """Singular value at which learning a feature neither lowers nor raises the loss after noise, by Monte Carlo.

    The root of the weighted line through change / strength against strength; NaN where the line does not fall.
    """
    strength, change, error = (rows[name].to_numpy() for name in ("strength", "change", "se"))
    slope, level = np.polyfit(strength, change / strength, 1, w=strength / error)
    return float(-level / slope) if slope < 0 else np.nan


def learned_at_a_loss(tables: Tables, settings: Settings) -> Finding:
    """The measured threshold against 2 gamma^2 d, and on which side of it features are."""
    features = tables["learned_features"].filter(pl.col("n_learned") > 0)
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
        f"Thresholds by Monte Carlo, and as derived: {said}. {right} of {n} features move the loss after noise as the "
        "derived one says."
    )
    finding = replace(THRESHOLD, statement=statement, details=tuple(details))
    mean = np.mean(ratios, axis=0)
    return judged(finding, mean, settings, decide_equivalence, smallest=TOLERANCE)
