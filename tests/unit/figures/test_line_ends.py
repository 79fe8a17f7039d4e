"""Names at the ends of lines do not overlap, and stand at the line's own height where there is room."""

import numpy as np
import polars as pl
import pytest

from ripeness.figures.line_ends import GAP, Scaled, spread, with_line_ends


def test_names_keep_their_distance_and_their_order_and_stay_within_the_panel():
    rng = np.random.default_rng(0)
    for _ in range(200):
        places = np.sort(rng.uniform(0, 100, size=rng.integers(1, 9)))
        found = spread(places, 100.0)
        assert (np.diff(found) >= GAP - 1e-9).all() and found.max() <= 100 + 1e-9
    assert spread(np.array([10.0, 50.0, 90.0]), 100.0).tolist() == [10, 50, 90]


@pytest.mark.parametrize("scale", ["linear", "log", "0.02"])
def test_a_place_on_the_axis_is_that_of_its_value(scale):
    axis = Scaled(0.01, 5.0, 200.0, scale)
    values = np.array([0.01, 0.3, 5.0])
    pixels = axis.to_pixels(values)
    assert pixels[0] == pytest.approx(0) and pixels[-1] == pytest.approx(200)
    assert [axis.to_value(pixel) for pixel in pixels] == pytest.approx(values.tolist())


def test_the_last_point_of_a_line_has_its_name_and_a_lone_point_only_without_a_line():
    rows = [
        {"panel": "p", "series": "s", "phase": phase, "tokens": tokens, "is_alone": alone, "line": line, "value": value}
        for phase, tokens, alone, line, value in (
            ("stable", 1, False, "a", 0.1), ("stable", 2, False, "a", 0.2), ("annealed", 2, True, "a", 0.9),
            ("annealed", 2, True, "b", 0.5),
        )
    ]  # fmt: skip
    found = with_line_ends(pl.DataFrame(rows), ["series", "phase", "line"], "line", height=200)
    assert found["end_text"].to_list() == [None, "a", None, "b"]
    assert found["end_y"][1] == pytest.approx(0.2)


def test_of_too_many_names_some_are_left_out_evenly():
    rows = [
        {"panel": "p", "series": "s", "phase": "stable", "tokens": 1, "is_alone": False, "line": f"l{n}", "value": n}
        for n in range(40)
    ]
    found = with_line_ends(pl.DataFrame(rows), ["series", "phase", "line"], "line", height=100)
    assert found["end_text"].drop_nulls().len() == int(100 // GAP)
    assert found["end_text"][0] == "l0" and found["end_text"][-1] == "l39"
