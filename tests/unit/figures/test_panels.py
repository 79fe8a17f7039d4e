"""What all figures are made of."""

import polars as pl
import pytest

from ripeness.figures import colours, panels


def test_axis_of_tokens_shows_zero_and_labels_it():
    axis = panels.tokens_axis(pl.Series("tokens", [0, 62_464, 5_999_616])).to_dict()
    assert axis["scale"]["type"] == "symlog" and axis["scale"]["constant"] == pytest.approx(62_464 / 3)
    assert axis["axis"]["values"][0] == 0
    assert panels.tokens_axis(pl.Series("tokens", [10**9, 10**12])).to_dict()["scale"]["type"] == "log"


def test_a_name_has_the_same_colour_in_every_figure_and_unknown_ones_get_a_spare():
    scale = panels.colours(pl.Series("method", ["zeta", "full", "base"]), colours.METHOD_COLOURS).to_dict()["scale"]
    assert scale["domain"] == ["base", "full", "zeta"]
    assert scale["range"][:2] == [colours.METHOD_COLOURS["base"], colours.METHOD_COLOURS["full"]]
    assert scale["range"][2] in colours.SPARE_COLOURS


def test_no_two_meanings_share_a_colour():
    known = [*colours.METHOD_COLOURS.values(), *colours.FORMAT_COLOURS.values(), *colours.SPARE_COLOURS]
    assert len(set(known)) == len(known)
