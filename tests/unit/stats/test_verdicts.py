"""The one rule for verdicts: interval and p say the same, for every expectation; joint claims; power."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from ripeness.stats.curves import design_of
from ripeness.stats.peaks import peak_contrast
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import (
    EFFECT,
    EXPECTED,
    NO_EFFECT,
    NO_HARM,
    REVERSED,
    SUPPORTED,
    TOO_SMALL,
    UNDECIDED,
    VERDICTS,
    Part,
    holm,
    holm_levels,
    one_sided,
    outcome_of,
    verdict_of,
)

S = 0.02
CLEAR = 1e-9  # relative distance from an edge, nearer than which rounding may decide


def estimate(effect, se, df=30.0):
    return with_interval(effect, se, df=df, confidence=0.95)


def decided(alternatives, level=0.05):
    found = outcome_of(alternatives)
    return found.verdict if found.p_value <= level else UNDECIDED


@pytest.mark.parametrize(
    ("expects", "low", "high", "verdict"),
    [
        (EFFECT, 0.03, 0.09, SUPPORTED),
        (EFFECT, 0.01, 0.09, UNDECIDED),
        (EFFECT, -0.05, 0.01, UNDECIDED),
        (EFFECT, -0.01, 0.01, TOO_SMALL),
        (EFFECT, -0.01, -0.001, TOO_SMALL),  # below 0, and less than matters
        (EFFECT, -0.09, -0.01, UNDECIDED),
        (EFFECT, -0.09, -0.03, REVERSED),
        (NO_EFFECT, -0.01, 0.01, SUPPORTED),
        (NO_EFFECT, -0.03, 0.01, UNDECIDED),
        (NO_EFFECT, 0.03, 0.2, REVERSED),
        (NO_EFFECT, -0.2, -0.03, REVERSED),
        (NO_HARM, -0.2, 0.01, SUPPORTED),
        (NO_HARM, -0.01, 0.03, UNDECIDED),
        (NO_HARM, 0.03, 0.2, REVERSED),
        *[(expects, float("nan"), float("nan"), UNDECIDED) for expects in EXPECTED],
    ],
)
def test_a_verdict_is_read_off_the_whole_interval(expects, low, high, verdict):
    assert verdict_of(low, high, smallest=S, expects=expects) == verdict


@given(
    effect=st.floats(-1, 1),
    se=st.floats(1e-6, 1),
    df=st.floats(1, 1e6),
    smallest=st.floats(0, 0.5),
    level=st.sampled_from([0.2, 0.1, 0.05, 0.01, 0.05 / 19]),
    expects=st.sampled_from(EXPECTED),
    tries=st.sampled_from([1, 3]),
)
def test_p_is_below_the_level_just_where_the_interval_decides(effect, se, df, smallest, level, expects, tries):
    part = Part(estimate(effect, se, df), smallest, expects, tries=tries)
    low, high = part.interval(level)
    edges = [abs(end - limit) for end in (low, high) for limit in (smallest, -smallest)]
    assume(min(edges) > CLEAR * (abs(effect) + high - low))
    assert decided([[part]], level) == verdict_of(low, high, smallest=smallest, expects=expects)


@pytest.mark.parametrize("expects", EXPECTED)
def test_a_drawn_contrast_is_decided_as_its_interval_is(expects):
    rng, x = np.random.default_rng(5), np.linspace(0, 3, 8)
    seen = set()
    for size, smallest in product((-0.4, 0.0, 0.1, 0.4), (0.0, 0.05, 0.6)):
        means = size * np.maximum(x - 1.5, 0) + 0.02 * rng.standard_normal(8)
        peak = peak_contrast(design_of(tuple(x)), means, confidence=0.95, draws=1999, seed=1)
        for level in (0.05, 0.05 / 7):
            part = Part(peak, smallest, expects)
            low, high = part.interval(level)
            seen.add(decided([[part]], level))
            assert decided([[part]], level) == verdict_of(low, high, smallest=smallest, expects=expects)
        assert peak.interval(0.95) == pytest.approx((peak.low, peak.high))
        assert Part(peak, smallest, expects).detectable(0.05) is None  # its errors are not Student's
    assert len(seen) >= 3


def test_two_one_sided_tests_are_those_of_scipy():
    sample = np.random.default_rng(3).normal(0.004, 0.05, 60)
    result = estimate(sample.mean(), sample.std(ddof=1) / np.sqrt(60), 59)
    below, above = (
        stats.ttest_1samp(sample, limit, alternative=side).pvalue for limit, side in ((S, "less"), (-S, "greater"))
    )
    found = one_sided(result, smallest=S, expects=EFFECT)
    assert found[TOO_SMALL] == pytest.approx(max(below, above), rel=1e-9)
    assert found[SUPPORTED] == pytest.approx(1 - below, rel=1e-9)
    assert found[REVERSED] == pytest.approx(1 - above, rel=1e-9)


def test_an_interval_without_width_decides_by_the_effect_alone():
    for effect, verdict in ((0.03, SUPPORTED), (0.0, TOO_SMALL), (-0.03, REVERSED), (S, UNDECIDED)):
        part = Part(estimate(effect, 0.0), S, EFFECT)
        assert decided([[part]]) == verdict and part.detectable(0.05) is None


def test_holm_corrects_the_smallest_p_value_most():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == holm_levels([], 0.05) == []


@given(st.lists(st.floats(0, 1) | st.floats(0, 0.05), min_size=1, max_size=20))
def test_the_level_of_holms_step_decides_as_the_corrected_p_does(p_values):
    for p, p_holm, level in zip(p_values, holm(p_values), holm_levels(p_values, 0.05), strict=True):
        assume(abs(p_holm - 0.05) > 1e-12 and abs(p - level) > 1e-12)
        assert (p <= level) == (p_holm <= 0.05)


def test_holms_level_stops_where_holm_does():
    # the second would be decided at 0.05 / 1 had the first been
    assert holm_levels([0.03, 0.04], 0.05) == [0.025, 0.025]
    assert holm_levels([0.04, 0.01], 0.05) == [0.05, 0.025]


def joint(*effects, se=0.004):
    return [Part(estimate(one, se), S, expects, label=str(n)) for n, (one, expects) in enumerate(effects)]


def test_all_parts_of_a_joint_claim_must_hold_and_any_may_fall():
    held, open_, fallen, small = ((0.1, EFFECT), (0.02, EFFECT), (0.1, NO_HARM), (0.0, EFFECT))
    assert decided([joint(held, held)]) == SUPPORTED
    assert decided([joint(held, open_)]) == decided([joint(open_, open_)]) == UNDECIDED
    assert decided([joint(held, fallen)]) == decided([joint(open_, fallen)]) == REVERSED
    assert decided([joint(held, small)]) == TOO_SMALL
    found = outcome_of([joint(held, (0.05, EFFECT))])
    assert found.part.label == "1" and found.p_value == found.part.p_values()[SUPPORTED]
    found = outcome_of([joint(held, fallen)])
    assert found.part.label == "1" and found.share == 2 and found.p_value == 2 * found.part.against()[0]


def test_a_claim_on_any_alternative_holds_with_one_and_falls_with_all():
    held, fallen = joint((0.1, EFFECT)), joint((-0.1, EFFECT))
    assert decided([held, fallen]) == decided([fallen, held]) == SUPPORTED
    assert decided([fallen, fallen]) == REVERSED
    assert decided([fallen, joint((0.02, EFFECT))]) == UNDECIDED


def test_what_exists_cannot_fall_and_what_was_not_measured_cannot_hold():
    exists = Part(estimate(-0.1, 0.004), S, EFFECT, may_fall=False)
    assert decided([[exists]]) == UNDECIDED
    alone = [Part(estimate(0.1, 0.004), S, expects, may_hold=False) for expects in (EFFECT, NO_HARM)]
    assert decided([alone[:1]]) == UNDECIDED and decided([alone[1:]]) == REVERSED
    assert outcome_of([alone[:1]]).p_value == 1.0 and alone[0].detectable(0.05) is None


def test_a_joint_claim_at_the_edge_of_one_part_is_rarely_supported():
    rng, n = np.random.default_rng(0), 2000
    drawn = [[decided([joint((0.1 + 0.004 * a, EFFECT), (S + 0.004 * b, EFFECT))])] for a, b in rng.normal(size=(n, 2))]
    assert np.mean([one == [SUPPORTED] for one in drawn]) < 0.025 + 3 * np.sqrt(0.025 / n)


@pytest.mark.parametrize("df", [4, 10, 60])
@pytest.mark.parametrize(("level", "tries"), [(0.05, 1), (0.05 / 7, 1), (0.05, 3)])
def test_80_percent_of_studies_support_the_claim_at_the_detectable_effect(df, level, tries):
    sd, n = 0.01, 4000
    truth = Part(estimate(0.0, sd, df), S, EFFECT, tries=tries).detectable(level)
    assert power(truth, EFFECT, df=df, level=level, tries=tries, n=n, sd=sd) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("expects", [NO_EFFECT, NO_HARM])
@pytest.mark.parametrize("sd", [0.004, 0.008, 0.02])
def test_the_power_at_zero_is_the_share_of_studies_that_support(expects, sd):
    expected = Part(estimate(0.0, sd, 40), S, expects).power_at_zero(0.05)
    assert power(0.0, expects, df=40, level=0.05, tries=1, n=4000, sd=sd) == pytest.approx(expected, abs=0.04)


def power(truth, expects, *, df, level, tries, n, sd):
    """Share of studies with a known truth, and an error that is estimated, which support a claim."""
    rng = np.random.default_rng([df, tries, int(1e6 * sd)])
    effects, errors = truth + sd * rng.standard_normal(n), sd * np.sqrt(rng.chisquare(df, n) / df)
    parts = (Part(estimate(*pair, df), S, expects, tries=tries) for pair in zip(effects, errors, strict=True))
    return np.mean([decided([[part]], level) == SUPPORTED for part in parts])


def test_an_unknown_expectation_is_an_error():
    for call in (lambda: verdict_of(0, 1, smallest=0, expects="good"), Part(estimate(0, 1), S, "good").p_values):
        with pytest.raises(ValueError, match="expects is 'good'; known are effect, no effect, no harm"):
            call()
    assert set(VERDICTS) == {SUPPORTED, TOO_SMALL, REVERSED, UNDECIDED}
