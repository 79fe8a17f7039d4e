"""What a claim of several parts detects: 80 % of simulated studies support all parts at the effect that is said."""

import numpy as np
import pytest

from ripeness.stats.joint_power import joint_power_at_zero, jointly_detectable, share_that_holds
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import EFFECT, NO_EFFECT, NO_HARM, SUPPORTED, Part, outcome_of

S, LEVEL, N = 0.02, 0.05 / 3, 4000
CLAIMS = [
    [(EFFECT, 0.01, 8), (NO_HARM, 0.005, 8)],
    [(EFFECT, 0.004, 40), (EFFECT, 0.02, 5)],
    [(EFFECT, 0.01, 30), (NO_HARM, 0.005, 12), (NO_EFFECT, 0.004, 30)],
]


def drawn(kinds, truths, rng):
    """Parts of one study: errors that are estimated, on their degrees of freedom."""
    found = []
    for (expects, sd, df), truth in zip(kinds, truths, strict=True):
        se = sd * (rng.chisquare(df) / df) ** 0.5
        found.append(Part(with_interval(truth + sd * rng.standard_normal(), se, df=df, confidence=0.95), S, expects))
    return found


def exact(kinds):
    return [Part(with_interval(0.0, sd, df=df, confidence=0.95), S, expects) for expects, sd, df in kinds]


@pytest.mark.parametrize("kinds", CLAIMS, ids=["harm and none", "two effects", "three parts"])
def test_80_percent_of_studies_support_all_parts_at_the_detectable_effects(kinds):
    parts, rng = exact(kinds), np.random.default_rng(2201)
    truths = [jointly_detectable(part, parts, LEVEL) or 0.0 for part in parts]
    assert all((truth > S) == (part.expects == EFFECT) for truth, part in zip(truths, parts, strict=True))
    found = [outcome_of([drawn(kinds, truths, rng)]) for _ in range(N)]
    held = np.mean([one.verdict == SUPPORTED and one.p_value <= LEVEL for one in found])
    assert held == pytest.approx(0.8, abs=0.03)
    for part, truth in zip(parts, truths, strict=True):
        assert part.expects != EFFECT or truth > part.detectable(LEVEL)  # more than one part alone needs


def test_of_one_part_it_is_that_of_the_part():
    (part,) = exact([(EFFECT, 0.01, 8)])
    assert jointly_detectable(part, [part], LEVEL) == part.detectable(LEVEL)
    assert joint_power_at_zero([part], LEVEL) is None
    (harm,) = exact([(NO_HARM, 0.01, 8)])
    assert joint_power_at_zero([harm], LEVEL) == harm.power_at_zero(LEVEL) and not jointly_detectable(
        harm, [harm], LEVEL
    )


def test_no_effect_is_large_enough_where_the_other_part_can_hardly_be_shown():
    parts = exact([(EFFECT, 0.001, 50), (NO_HARM, 0.012, 8)])
    assert jointly_detectable(parts[0], parts, LEVEL) is None
    assert 0 < joint_power_at_zero(parts, LEVEL) < 0.8
    rng, truths = np.random.default_rng(2202), (1.0, 0.0)
    kinds = [(EFFECT, 0.001, 50), (NO_HARM, 0.012, 8)]
    found = [outcome_of([drawn(kinds, truths, rng)]) for _ in range(N)]
    held = np.mean([one.verdict == SUPPORTED and one.p_value <= LEVEL for one in found])
    assert held == pytest.approx(joint_power_at_zero(parts, LEVEL), abs=0.03)


def test_a_part_that_was_not_measured_is_detected_at_no_effect():
    measured, other = exact([(EFFECT, 0.01, 8), (NO_HARM, 0.005, 8)])
    half = [Part(part.result, S, part.expects, may_hold=False) for part in (measured, other)]
    assert jointly_detectable(half[0], half, LEVEL) is None and share_that_holds(half, LEVEL) is None
