"""Numbers in words."""

import pytest

from ripeness.runtime.wording import deciding_interval, human


@pytest.mark.parametrize(("tokens", "text"), [(0, "0"), (61_440, "61k"), (2_560_000, "2.6M"), (3 * 10**12, "3T")])
def test_tokens_are_written_shortly(tokens, text):
    assert human(tokens) == text


def test_the_interval_that_decides_is_written_where_it_is_another_one():
    shown = {"low": 0.02, "high": 0.1, "confidence": 0.95}
    decides = {"decided_low": -0.012, "decided_high": 0.134, "decided_confidence": 1 - 0.05 / 8}
    assert deciding_interval(shown | decides) == "−0.01 to +0.13 (99.38 %)"
    alone = {"decided_low": 0.02, "decided_high": 0.1, "decided_confidence": 1 - 0.05}
    for finding in (shown, shown | alone, shown | dict.fromkeys(decides)):
        assert deciding_interval(finding) == ""
