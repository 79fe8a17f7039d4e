"""Where losses turn, on planted tables."""

from dataclasses import replace

from overtrained import BRITTLE, found


def test_the_turn_is_where_the_planted_loss_is_lowest():
    # after noise: 3 - u + c 10^(1.5 u) with c the mean over scales, lowest where its derivative is zero
    one = found(BRITTLE, "turning-point")
    assert one.low <= one.effect <= one.high
    assert " doublings of tokens before the last checkpoint" in one.statement
    assert "noise of size 0.5 at" in one.statement


def test_where_nothing_turns_the_contrast_that_decides_is_shown():
    falling = found(replace(BRITTLE, noise={"init": -1.0}, harm=-1.0), "turning-point")
    assert falling.verdict == "reversed" and falling.high < 0 and "nats a token" in falling.unit
    turned = found(BRITTLE, "turning-point")
    assert turned.verdict == "supported" and turned.unit == falling.unit and "above the best" in turned.statement
    assert turned.low > turned.smallest == 0.02
