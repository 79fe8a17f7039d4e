"""What is true of every claim in a drawn study: the effect in the units of findings, and the verdicts that are right.

The rules of claims are written down here a second time, on purpose: what is checked must not say what is right.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ripeness.calibration.loss_studies import RATES, LossDesign
from ripeness.calibration.score_studies import ScoreDesign, effects_of
from ripeness.stats.verdicts import REVERSED, SUPPORTED, TOO_SMALL

SMALLEST = 0.02  # of scores and losses
SMALLEST_SLOPE = 0.1  # doublings for a doubling of tokens
SMALLEST_DOUBLING = 0.1  # of what noise adds to a decayed checkpoint
ROUNDING = 1e-9


@dataclass(frozen=True)
class Truth:
    """What is true of one claim.

    `effects` by words that "part; unit" of a finding contains, the first that fits ("" fits all); `right` are the
    verdicts that are true besides "undecided", which never is false.
    """

    effects: Mapping[str, float]
    right: frozenset[str]

    def effect(self, unit: str, part: str = "") -> float | None:
        """Find the true effect of a part of the claim in a unit; None where it has none."""
        return next((value for words, value in self.effects.items() if words in f"{part}; {unit}"), None)


def right_on_effect(effect: float, smallest: float) -> frozenset[str]:
    """List what is right of a claim that there is an effect; nothing where it lies on a limit."""
    return right(effect, smallest, above=SUPPORTED, inside=TOO_SMALL, below=REVERSED)


def right_on_none(effect: float, smallest: float) -> frozenset[str]:
    """List what is right of a claim that there is no effect."""
    return right(effect, smallest, above=REVERSED, inside=SUPPORTED, below=REVERSED)


def right_on_no_harm(effect: float, smallest: float) -> frozenset[str]:
    """List what is right of a claim that there is no harm."""
    return right(effect, smallest, above=REVERSED, inside=SUPPORTED, below=SUPPORTED)


def right(effect: float, smallest: float, *, above: str, inside: str, below: str) -> frozenset[str]:
    """Choose the verdict by where an effect lies; none where it lies on a limit."""
    if smallest and abs(abs(effect) - smallest) < ROUNDING:
        return frozenset({SUPPORTED}) if effect < 0 and inside == below == SUPPORTED else frozenset()
    if abs(effect) <= smallest + ROUNDING:
        return frozenset({inside})
    return frozenset({above if effect > 0 else below})


def right_on_both(first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
    """Join what is right of the two parts of a claim: both must hold, and what is against one is against the claim."""
    if SUPPORTED in first and SUPPORTED in second:
        return frozenset({SUPPORTED})
    return (first | second) - {SUPPORTED}


def truths_on_scores(design: ScoreDesign) -> dict[str, Truth]:
    """Say what is true of the claims on scores."""
    effects = effects_of(design, None)
    half = design.n_checkpoints // 2
    own = np.einsum("kaa->ka", effects.change)
    gains = (np.clip(effects.base + own, 0, 1) - effects.base)[-half:].mean(axis=0)
    learned = effects.base[-half:].mean(axis=0) - design.floors
    found = {}
    if design.n_never and design.is_learned.any():
        gap = float(learned[design.is_learned].mean() - learned[~design.is_learned].mean())
        rise = design.learned_height - float((effects.base[:half] - design.floors)[:, 0].mean())
        found["learned-in-pretraining"] = Truth(
            {"is never learned;": design.never_height, "is learned;": design.learned_height, "rises;": rise, "": gap},
            frozenset({SUPPORTED}),
        )
        gain = float(gains[~design.is_learned].mean() - gains[design.is_learned].mean())
        found["gain-by-learning"] = Truth({"": gain}, right_on_effect(gain, SMALLEST))
    else:  # one kind of dataset: nothing may be said of two
        found["learned-in-pretraining"] = found["gain-by-learning"] = Truth({}, frozenset())
    fall = design.format_fall
    found["format-spread"] = Truth({"": fall}, right_on_effect(fall, SMALLEST))
    on_generation, on_choices = design.harm_generation, design.harm_choice
    found["transfer-between-types"] = Truth(
        {"generated answers by": on_generation, "choices by": on_choices},
        right_on_both(right_on_effect(on_generation, SMALLEST), right_on_no_harm(on_choices, SMALLEST)),
    )
    found["transfer-within-type"] = Truth({"": design.carried}, right_on_none(design.carried, SMALLEST))
    return found


def truths_on_losses(design: LossDesign) -> dict[str, Truth]:
    """Say what is true of the claims on overtraining."""
    fixed = last_minus_best(design.valley)
    levels = np.array([3 + design.valley + (part - 1) * (0.1 + design.valley) for part in RATES.values()])
    tuned = last_minus_best(levels[design.places_of_rates(), np.arange(design.n_checkpoints)])
    is_known = design.chosen != "random"  # else the curve is of other rates in each study
    degrades, kept = right_on_effect(fixed, SMALLEST), right_on_effect(design.kept, SMALLEST)
    removed = right_on_no_harm(tuned, SMALLEST) if SUPPORTED in degrades and is_known else frozenset[str]()
    return {
        "progressive-sensitivity": Truth({"": design.noise_slope}, right_on_effect(design.noise_slope, SMALLEST_SLOPE)),
        "degradation-at-fixed-rate": Truth({"": fixed}, degrades),
        "degradation-at-tuned-rate": Truth({"": tuned} if is_known else {}, removed),
        "turning-point": Truth({"": fixed}, degrades),
        "decay-or-tokens": Truth({"": design.decay}, right_on_effect(design.decay, SMALLEST_DOUBLING)),
        "mitigation": Truth(
            {"answers": design.cost, "": design.kept}, right_on_both(kept, right_on_no_harm(design.cost, SMALLEST))
        ),
        "displacement-constancy": Truth({"": design.moves}, right_on_none(design.moves, SMALLEST_SLOPE)),
    }


def last_minus_best(curve: np.ndarray) -> float:
    """Contrast the last checkpoint with the best before it."""
    return float(curve[-1] - curve[:-1].min())
