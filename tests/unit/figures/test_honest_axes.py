"""Intervals end at what is possible, nothing that an axis cannot show is dropped, every figure says what it shows."""

import numpy as np
import polars as pl
import pytest
from drawn import MEASURED, frame_of
from scipy import stats

from ripeness.figures.change_sizes import over_few
from ripeness.figures.register import BY_ID
from ripeness.figures.sensitivity import on_log_axis
from ripeness.figures.sentences import signed

SHARES = {"learned-in-pretraining", "gain", "format-spread", "transfer", "saturation"}


@pytest.mark.parametrize("name", MEASURED)
def test_a_figure_says_in_a_sentence_what_it_shows(name, synthetic_study):
    frame = frame_of(name, synthetic_study)
    said = BY_ID[name].says(frame)
    assert 20 < len(said) < 250 and not said.endswith((".", "?")) and "nan" not in said and said[0].isupper() or (
        said[0].isdigit()
    )  # fmt: skip
    assert "None" not in said


@pytest.mark.parametrize("name", sorted(SHARES))
def test_intervals_of_shares_and_their_changes_end_at_what_is_possible(name, synthetic_study):
    frame = frame_of(name, synthetic_study)
    if "low" not in frame.columns:
        return
    for row, part in frame.group_by("row"):
        if str(row[0]).startswith("log"):
            assert part["high"].drop_nulls().max() <= 0
        else:
            least = -1 if "change" in str(row[0]) else 0
            assert part["low"].drop_nulls().is_between(least, 1).all()
            assert part["high"].drop_nulls().is_between(least, 1).all()


def test_the_gain_is_what_its_title_says(synthetic_study):
    frame = frame_of("gain", synthetic_study)
    rows = frame.filter(row="change in score", format="all", checkpoint="step5859")
    mean = signed(rows["value"].mean())
    assert BY_ID["gain"].says(frame).startswith(f"Tuning (full) changes the score by {mean} at 6M tokens, most on ")


def test_the_interval_of_a_loss_stays_above_0_and_two_repeats_have_none():
    points = pl.DataFrame(
        {
            "value": [0.5, 3.0, 3.0],
            "se": [0.4, 0.1, 0.1],
            "n_seeds": [3, 2, 5],
            "least": [0.1, 2.9, 2.7],
            "most": [0.9, 3.1, 3.3],
        }
    )
    found = over_few(points)
    assert found["low"][0] > 0
    assert found.row(1, named=True) | {} == {
        "value": 3.0, "n_seeds": 2, "low": 2.9, "high": 3.1, "is_range": True
    }  # fmt: skip
    # where little varies it is Student's interval
    right = stats.t.interval(0.95, 4, loc=3.0, scale=0.1)
    assert (found["low"][2], found["high"][2]) == pytest.approx(right, rel=0.01)


def test_what_is_not_above_0_is_marked_at_the_foot_of_a_logarithmic_axis_and_lines_break_there():
    values = [0.1, -0.01, 0.2, 0.4]
    frame = pl.DataFrame(
        {"panel": "p", "series": "s", "phase": "stable", "size": "8 bits", "tokens": range(4), "value": values,
         "low": [0.05, -0.02, -0.1, 0.3], "high": [0.2, 0.01, 0.3, 0.5]}
    )  # fmt: skip
    found = on_log_axis(frame)
    assert found.height == 4 and found["is_below"].to_list() == [False, True, False, False]
    assert found["shown"].to_list() == [0.1, 0.05, 0.2, 0.4]
    pieces = found["piece"].to_list()
    assert pieces[0] != pieces[2] == pieces[3] and pieces[1] not in (pieces[0], pieces[2])
    assert found["low"].to_list() == [0.05, None, 0.05, 0.3]
    assert np.log(found["shown"].to_numpy()).min() > -np.inf
