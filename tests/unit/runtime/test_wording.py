"""Numbers in words."""

import pytest

from ripeness.runtime.wording import deciding_interval, hint, human, what_it_takes


@pytest.mark.parametrize(("tokens", "text"), [(0, "0"), (61_440, "61k"), (2_560_000, "2.6M"), (3 * 10**12, "3T")])
def test_tokens_are_written_shortly(tokens, text):
    assert human(tokens) == text


@pytest.mark.parametrize(("word", "found"), [("DPO", "dpo"), ("Simpo", "simpo"), ("kot", "kto"), ("xyz", None)])
def test_a_hint_names_the_nearest_word_whatever_its_capitals(word, found):
    said = hint(word, ["dpo", "ipo", "kto", "simpo"], otherwise="see --help")
    assert said == (f"hint: did you mean {found!r}?" if found else "hint: see --help")


def test_the_interval_that_decides_is_written_where_it_is_another_one():
    shown = {"low": 0.02, "high": 0.1, "confidence": 0.95}
    decides = {"decided_low": -0.012, "decided_high": 0.134, "decided_confidence": 1 - 0.05 / 8}
    assert deciding_interval(shown | decides) == "−0.01 to +0.13 (99.38 %)"
    alone = {"decided_low": 0.02, "decided_high": 0.1, "decided_confidence": 1 - 0.05}
    for finding in (shown, shown | alone, shown | dict.fromkeys(decides)):
        assert deciding_interval(finding) == ""


def test_what_would_decide_a_claim_is_one_sentence():
    def rows(**needed):
        return {"needs_more": {name: {"now": 4, "needed": number} for name, number in needed.items()}}

    assert what_it_takes({}) == what_it_takes({"needs_more": None}) == ""
    assert what_it_takes(rows(items=None, seeds=None, datasets=9)) == (
        "With the same spread and effect, 9 datasets (now 4) would decide it; more items or seeds alone would not."
    )
    assert what_it_takes(rows(items=1200, seeds=8, datasets=9)) == (
        "With the same spread and effect, 1,200 items (now 4), 8 seeds (now 4) or 9 datasets (now 4) would decide it."
    )
    assert what_it_takes(rows(items=None, datasets=None)) == (
        "With the same spread and effect, no number of items or datasets alone would decide it."
    )
    many = rows(items=None)
    many["needs_more"]["times all of them"] = {"now": 1, "needed": 3}
    assert what_it_takes(many) == (
        "With the same spread and effect, no number of items alone would decide it; "
        "a study 3 times as large in all of them would."
    )
