"""The line that says how a verdict fares with less data and with other smallest effects."""

import pytest

from ripeness.report.robust_line import robust_line


def line(verdict="supported", *, tried=12, changes=(), half="", double=""):
    found = {"n_tried": tried, "n_same": tried - len(changes), "kinds": ["dataset"]}
    found["changes"] = [{"left_out": left_out, "verdict": other} for left_out, other in changes]
    return robust_line(
        {"verdict": verdict, "robustness": found | {"at_half": half or verdict, "at_double": double or verdict}}
    )


def test_a_robust_verdict_stands_everywhere():
    assert line() == "Stands in 12 of 12 studies with a part left out."
    assert line(tried=0) == "Stands at half and at twice the smallest effect."
    assert robust_line({"verdict": "undecided", "robustness": None}) == robust_line({"verdict": "undecided"}) == ""


@pytest.mark.parametrize(
    ("verdict", "changes", "end"),
    [
        ("supported", [("dataset xsum", "undecided")], "falls without dataset xsum."),
        ("supported", [("seed 1", "reversed")], "reversed without seed 1."),
        ("undecided", [("seed 1", "supported")], "supported without seed 1."),
        (
            "supported",
            [(f"seed {n}", "undecided") for n in range(5)],
            "falls without seed 0, seed 1, seed 2 and 2 more.",
        ),
    ],
)
def test_what_a_verdict_rests_on_is_named(verdict, changes, end):
    word = "Undecided" if verdict == "undecided" else "Stands"
    said = f"{word} in {12 - len(changes)} of 12 studies with a part left out; {end}"
    assert line(verdict, changes=changes) == said


def test_another_smallest_effect_is_said_where_it_changes_the_verdict():
    assert line(tried=0, double="undecided") == "At twice the smallest effect undecided."
    assert line("undecided", half="supported").endswith("; at half the smallest effect supported.")
