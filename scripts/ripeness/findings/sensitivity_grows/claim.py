"""Does what noise of a fixed size costs grow with what is learned?"""

from dataclasses import replace

import numpy as np

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.needs import has_networks
from ripeness.findings.networks import BLANK, SOURCE, grid, judged, known, over_seeds
from ripeness.findings.study_tables import Tables
from ripeness.stats.resampling import kendall


def judge(tables: Tables, settings: Settings) -> Finding:
    """Rank trend of the increase over checkpoints, mean over gammas; and how near Monte Carlo is to the closed form."""
    noisy = tables.simulated["noisy_networks"]
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
    finding = replace(BLANK, statement=statement, details=tuple(details), n_checkpoints=noisy["checkpoint"].n_unique())
    return judged(finding, np.mean(trends, axis=0), settings, smallest=settings.smallest_effect)


CLAIM = Claim(
    id="sensitivity-grows",
    text="What noise of a fixed size costs grows with what is learned",
    source=SOURCE,
    unit="rank correlation with time (Kendall)",
    figure="theory-sensitivity",
    needs=(has_networks,),
    judge=judge,
)
