"""Claims of a user's own on drawn scores, and what is true of them.

A contrast over datasets at large, a trend over pairs of datasets, and a contrast on one dataset that is named. The
smallest effect that matters of each is its true effect, so that the claim is false by the least that can be.
"""

from typing import Any

import numpy as np

from ripeness.calibration.score_studies import ScoreDesign, effects_of, kind_of
from ripeness.calibration.truths import Truth
from ripeness.findings.own_selection import OwnClaim

USUAL = {"claim": "As said.", "metric": "score", "of": "level", "direction": "more", "expects": "effect"}
TUNED, UNTOUCHED = {"method": "full"}, {"method": "base"}


def claims_on(design: ScoreDesign) -> list[OwnClaim]:
    """Write claims on a study of a design."""
    first, *_ = design.datasets
    written: dict[str, dict[str, Any]] = {
        "own: tuned above untouched": {"compare": TUNED, "against": UNTOUCHED},
        "own: trend of changes on others": {"compare": TUNED | {"probe": "others"}, "of": "change"},
        "own: tuned above untouched, one dataset": {"compare": TUNED | {"dataset": first}, "against": UNTOUCHED},
    }
    effects = effects_on(design)
    return [
        OwnClaim.of_settings(name, {**USUAL, "smallest": effect, **written[name]}) for name, effect in effects.items()
    ]


def truths_on_own(design: ScoreDesign) -> dict[str, Truth]:
    """Say what is true of these claims: each effect is the smallest that matters, and no verdict is right."""
    return {name: Truth({"": effect}, frozenset()) for name, effect in effects_on(design).items()}


def effects_on(design: ScoreDesign) -> dict[str, float]:
    """Compute the true effects; a trend is from the first checkpoint that has seen tokens to the last, on a line.

    Where gains or heights scatter, a dataset that is named has an effect of its own, and nothing is claimed of it.
    """
    effects, names = effects_of(design, None), design.datasets
    gains = (np.clip(effects.base + np.einsum("kaa->ka", effects.change), 0, 1) - effects.base).mean(axis=0)
    trained = 0 if design.is_trained_first else 1
    others = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b]
    within = sum(kind_of(names[a]) == kind_of(names[b]) for a, b in others) / len(others)
    change = design.carried * within * float(design.trend[-1] - design.trend[trained])
    found = {"own: tuned above untouched": float(gains.mean()), "own: trend of changes on others": change}
    is_alike = design.gain_sd == design.height_sd == 0
    return found | ({"own: tuned above untouched, one dataset": float(gains[0])} if is_alike else {})
