"""Numbers in words."""

import pytest

from ripeness.runtime.wording import human


@pytest.mark.parametrize(("tokens", "text"), [(0, "0"), (61_440, "61k"), (2_560_000, "2.6M"), (3 * 10**12, "3T")])
def test_tokens_are_written_shortly(tokens, text):
    assert human(tokens) == text
