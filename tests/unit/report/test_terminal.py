"""The end of a run: answers first, a line a claim, and one line for those that the study cannot decide."""

import pytest

from ripeness.report.terminal import COLOURS, finding_lines, number
from ripeness.stats.verdicts import VERDICTS

ANSWER = {"id": "ripe", "statement": "Tune the checkpoint of 2.1M tokens. " * 5, "answers": [{}, {}]}
CLAIM = {"id": "gain", "claim": "Tuning gains more later.", "verdict": "supported", "statement": "s", "unit": "score"}
CLAIM |= {"effect": 0.213, "low": -0.004, "high": 0.43, "confidence": 0.95}
NONE = {"id": "trend", "verdict": "undecided", "statement": "Cannot be decided.", "effect": None}
LOOK = {"id": "looks", "statement": "One look.", "answers": [{}]}


def lines(*findings, width=80, is_colour=False):
    return finding_lines(findings, width=width, is_colour=is_colour)


def test_answers_come_first_then_claims_then_what_cannot_be_decided():
    said = "\n".join(lines(CLAIM, NONE, NONE | {"id": "other"}, ANSWER, LOOK))
    assert said.startswith("Tune the checkpoint") and "One look" not in said
    claim = said.index("supported           Tuning gains more later. +0.21 [−0.004, +0.43] score.")
    assert claim < said.index("2 claims cannot be decided by this study: trend and other.")
    assert "1 claim cannot" in "\n".join(lines(NONE))


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_lines_are_wrapped_to_the_terminal_and_hang_under_the_claim(width):
    long = CLAIM | {"claim": "word " * 60, "needs_more": {"items": {"now": 10, "needed": 1000}}}
    said = lines(long, ANSWER, width=width)
    assert max(map(len, said)) <= min(max(width, 60), 120)
    assert "1,000 items (now 10)" in " ".join(" ".join(said).split())
    assert all(line.startswith(" " * 20) for line in said if line.startswith(" "))


def test_a_terminal_has_the_verdict_in_colour_and_a_file_has_none():
    assert COLOURS.keys() == set(VERDICTS) and len(set(COLOURS.values())) == len(COLOURS)
    for verdict in VERDICTS:
        (first, *_) = lines(CLAIM | {"verdict": verdict}, is_colour=True)
        assert first.startswith(f"\x1b[{COLOURS[verdict]}m{verdict}") and "\x1b[0m" in first
    assert "\x1b" not in "".join(lines(CLAIM, NONE, ANSWER))


@pytest.mark.parametrize(
    ("value", "said"), [(0.213, "+0.21"), (-0.027, "−0.027"), (0.0, "+0.00"), (-0.5, "−0.50"), (None, "unknown")]
)
def test_small_effects_keep_a_digit_that_counts(value, said):
    assert number(value) == said
