"""Both estimates of an effect stay on its scale."""

from dataclasses import replace

from ripeness.findings.finding import Finding, Settings
from ripeness.findings.two_estimates import OF_SCORES, both_of, two_lines, with_both
from ripeness.stats.at_large import Sources
from ripeness.stats.random_levels import Component
from ripeness.stats.verdicts import EFFECT


def test_two_datasets_promise_no_effect_beyond_the_scale_of_scores():
    sources = Sources(Component(0.0004, 199), Component(0.0001, 8))
    both = both_of(0.42, Component(0.004, 1), sources, Settings(), n_datasets=2, most=OF_SCORES)
    assert two_lines(both).endswith("On datasets like these: +0.42 [−0.38, +1.00].")
    found = with_both(Finding(n_items=200, n_seeds=3), both, Settings(), too_few="few")
    assert (found.low, found.high) == (both.at_large.low, 1.0)
    # 80 % of such studies would need a difference of scores above 1
    assert replace(found.tests[0][0], expects=EFFECT).detectable(0.05) is None
