"""Whether supervised tuning orders checkpoints as the reinforcement after it does, on planted worths."""

import pytest
from aligned_studies import Truth, judged, planted

NAME = "sft-misleads-about-rl"
RISING = {"tuned": lambda u: 0.3 + 0.4 * u, "gain": lambda u: 0.1}
TURNED = {"tuned": lambda u: 0.3 + 0.4 * u, "gain": lambda u: 0.5 - 0.8 * u}  # worth after: 0.8 to 0.4


def test_an_order_that_reinforcement_turns_round_is_found_and_one_that_stays_is_not():
    turned = judged(NAME, planted(Truth(**TURNED, n=12)))
    assert turned.verdict == "supported" and turned.effect == pytest.approx(2, abs=0.1)
    assert turned.smallest == pytest.approx(0.1)
    assert "the worth by the rule -1.00, pass@64 -1.00 and the loss of the answers -1.00" in turned.statement
    same = judged(NAME, planted(Truth(**RISING, n=30, datasets=8)))
    assert same.verdict == "too small to matter" and same.effect == pytest.approx(0, abs=0.02)
    assert len(same.details) == 8 and same.n_checkpoints == 30 and same.n_seeds == 3 and "8 datasets" in same.covers


def test_few_checkpoints_in_order_are_no_proof():
    """Four checkpoints of one dataset have six pairs; that all are in order may be luck."""
    one = judged(NAME, planted(Truth(**RISING, n=4, datasets=1)))
    assert one.verdict == "undecided" and one.effect == pytest.approx(0, abs=0.01)
    assert one.high > 0.5 and "datasets as they are" in one.covers


def test_noise_is_not_taken_for_another_order():
    flat = {"tuned": lambda u: 0.3, "gain": lambda u: 0.1}
    found = [judged(NAME, planted(Truth(**flat, noise=0.02, n=8), seed)) for seed in range(20)]
    assert sum(one.verdict == "supported" for one in found) <= 2


def test_one_seed_or_two_checkpoints_have_no_order():
    for truth in (Truth(**RISING, seeds=1), Truth(**RISING, n=2)):
        one = judged(NAME, planted(truth))
        assert one.verdict == "undecided" and one.effect is None
    three = judged(NAME, planted(Truth(**TURNED, n=3)))
    assert three.verdict == "undecided" and "3 checkpoints are too few" in three.statement
