"""Readings of one grid of learning rates, by numbers that can be reckoned by hand."""

import numpy as np
import polars as pl
import pytest

from ripeness.findings.rate_grids import Grid, at_equal_answer_loss, at_equal_displacement, fixed, tuned
from ripeness.findings.treated_curves import Curve

TOKENS = np.array([1e3, 2e3])
CASE = {"probe": "prose", "dataset": "quiz", "method": "full"}


def curve(rate: float, values: list[float]) -> Curve:
    """One run and seed at two checkpoints."""
    return Curve(CASE | {"learning_rate": rate}, ("run",), TOKENS, np.array(values)[:, None], (("run", "1"),))


# at each rate: text loss, answer loss and displacement of the two checkpoints
GRID = Grid(
    text=[curve(0.1, [2.0, 1.0]), curve(0.2, [3.0, 2.0]), curve(0.4, [4.0, 6.0])],
    answer=[curve(0.1, [1.0, 0.9]), curve(0.2, [0.6, 0.5]), curve(0.4, [0.8, 0.2])],
    displacement=[curve(0.1, [1.0, 2.0]), curve(0.2, [2.0, 4.0]), curve(0.4, [4.0, 8.0])],
)


def test_text_loss_is_read_where_weights_were_moved_equally_far():
    # both checkpoints reach from 2 to 4; the middle on a log scale is the root of 8
    found, distance = at_equal_displacement(GRID)
    assert distance == pytest.approx(8**0.5)
    assert found.values[:, 0] == pytest.approx([3.5, 1.5])


def test_text_loss_is_read_where_the_answers_were_learned_equally_well():
    # the first checkpoint gets to 0.6 at best, at the second rate; the second three quarters of the way to that rate
    found, loss = at_equal_answer_loss(GRID)
    assert loss == pytest.approx(0.6)
    assert found.values[:, 0] == pytest.approx([3.0, 1.75])


def test_beyond_the_best_rate_nothing_is_matched():
    worse = Grid(GRID.text, [curve(0.1, [0.5, 0.5]), curve(0.2, [0.6, 0.6]), curve(0.4, [0.9, 0.9])], GRID.displacement)
    assert at_equal_answer_loss(worse) is None  # the smallest rate is the best: there is nothing to go back to


def test_displacements_that_do_not_overlap_are_not_matched():
    apart = [curve(0.1, [1.0, 9.0]), curve(0.2, [2.0, 10.0]), curve(0.4, [4.0, 11.0])]
    assert at_equal_displacement(Grid(GRID.text, GRID.answer, apart)) is None


def test_a_cell_that_diverged_leaves_its_rate_out_of_fixed_ones_and_the_match():
    lost = Grid([*GRID.text[:2], curve(0.4, [4.0, np.nan])], GRID.answer, GRID.displacement)
    assert [one.key["learning_rate"] for one in fixed(lost)] == [0.1, 0.2]
    assert np.isnan(at_equal_displacement(lost)[0].values[1, 0])


def test_the_chosen_rate_may_differ_by_checkpoint_and_by_format():
    rows = [("run", 1000, 1, 0.1, 1), ("run", 2000, 1, 0.2, 3), ("run", 2000, 1, 0.4, 1)]
    chosen = pl.DataFrame(rows, schema=["series", "tokens", "seed", "learning_rate", "n"], orient="row")
    chosen = chosen.with_columns(dataset=pl.lit("quiz"), method=pl.lit("full"))
    assert tuned(GRID, chosen).values[:, 0] == pytest.approx([2.0, (3 * 2.0 + 6.0) / 4])
    assert tuned(GRID, chosen.filter(pl.col("tokens") == 1000)) is None
