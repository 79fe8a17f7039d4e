"""Which candidate is the best: how often the best one is in the set, and what one repeat cannot tell."""

import numpy as np
import pytest

from ripeness.stats.best import choose, judge_best


def draw(rng, truth, *, repeats, items, repeat_sd=0.02, item_sd=0.3, own_sd=0.3):
    """Scores [candidates, repeats, items]: items hard for all, repeats that scatter, and noise of each answer."""
    shape = (len(truth), repeats, items)
    trained = rng.normal(0, repeat_sd, shape[:2])[..., None]
    return np.asarray(truth)[:, None, None] + trained + rng.normal(0, item_sd, items) + rng.normal(0, own_sd, shape)


def test_the_first_of_the_highest_is_chosen():
    scores = np.zeros((3, 2, 5))
    scores[1:] = 1
    assert choose(scores) == 1
    scores[1, 0] = np.nan
    assert choose(scores) == 1


@pytest.mark.parametrize(("k", "repeats"), [(4, 2), (8, 3), (16, 2)])
@pytest.mark.parametrize("truth", ["flat", "rising", "hump"])
def test_the_best_is_in_the_set(k, repeats, truth):
    level = {"flat": np.zeros(k), "rising": np.linspace(0, 0.1, k), "hump": -(np.linspace(-0.2, 0.2, k) ** 2)}[truth]
    rng, held = np.random.default_rng(k * 10 + repeats), []
    for _ in range(200):
        found = judge_best([draw(rng, level, repeats=repeats, items=100)], [1.0], 0, confidence=0.95)
        held.append(found.may_be_best[int(np.argmax(level))])
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_a_clearly_worse_candidate_is_left_out():
    rng = np.random.default_rng(1)
    found = judge_best([draw(rng, [0.0, 0.3, 0.3], repeats=3, items=200)], [1.0], 1, confidence=0.95)
    assert found.may_be_best == (False, True, True) and found.can_tell
    assert found.differences[1] is None and found.differences[0].low > 0.1
    assert found.differences[2].low < 0 < found.differences[2].high


def test_intervals_of_differences_hold_the_truth():
    rng, held = np.random.default_rng(2), []
    for _ in range(400):
        found = judge_best([draw(rng, [0.1, 0.0, 0.0, 0.0], repeats=2, items=80)], [1.0], 0, confidence=0.95)
        held.append(found.differences[1].low <= 0.1 <= found.differences[1].high)
    assert 0.92 < np.mean(held) < 0.985


def test_what_a_repeat_makes_of_an_item_counts_once():
    """Answers that are all chance: counted in items and in repeats, intervals were too wide by a fifth and more."""
    rng, widths, effects = np.random.default_rng(8), [], []
    for _ in range(200):
        scores = draw(rng, [0.0] * 8, repeats=3, items=200, repeat_sd=0.02, item_sd=0.3, own_sd=0.5)
        difference = judge_best([scores], [1.0], 0, confidence=0.95).differences[1]
        widths.append(difference.high - difference.low)
        effects.append(difference.effect)
    needed = 2 * 1.96 * np.std(effects)
    assert 0.95 * needed < np.mean(widths) < 1.2 * needed


def test_datasets_count_by_their_weights():
    rng = np.random.default_rng(3)
    parts = [
        draw(rng, [0.0, 0.5], repeats=3, items=100, own_sd=0.05),
        draw(rng, [0.5, 0.0], repeats=3, items=100, own_sd=0.05),
    ]
    assert judge_best(parts, [1.0, 0.0], 1, confidence=0.95).may_be_best == (False, True)
    assert judge_best(parts, [0.0, 1.0], 0, confidence=0.95).may_be_best == (True, False)
    assert judge_best(parts, [1.0, 1.0], 0, confidence=0.95).may_be_best == (True, True)


def test_one_repeat_each_can_tell_nothing():
    rng = np.random.default_rng(4)
    found = judge_best([draw(rng, [0.0, 0.9], repeats=1, items=500)], [1.0], 1, confidence=0.95)
    assert found.may_be_best == (True, True) and not found.can_tell


def test_a_failed_repeat_is_left_out():
    rng = np.random.default_rng(5)
    scores = draw(rng, [0.0, 0.4], repeats=3, items=200)
    scores[0, 1] = np.nan
    found = judge_best([scores], [1.0], 1, confidence=0.95)
    assert found.may_be_best == (False, True)


def test_a_repeat_that_failed_on_one_dataset_is_no_loss_on_others():
    rng = np.random.default_rng(6)
    parts = [draw(rng, [0.0, 0.0, 0.4], repeats=2, items=200) for _ in range(2)]
    parts[0][2, 0] = parts[1][2, 1] = np.nan  # no repeat of the best candidate is there on both
    found = judge_best(parts, [1.0, 1.0], 2, confidence=0.95)
    assert found.may_be_best == (False, False, True) and found.can_tell
    assert found.differences[0].effect == pytest.approx(0.4, abs=0.1) and found.differences[0].low > 0.2


def test_equal_scores_can_all_be_the_best():
    found = judge_best([np.ones((3, 2, 50))], [1.0], 0, confidence=0.95)
    assert found.may_be_best == (True, True, True)
    assert found.differences[1].effect == 0


@pytest.mark.parametrize("share", [0.98, 0.99, 0.01])
def test_scores_near_an_end_of_the_scale_have_intervals_that_hold_the_truth(share):
    rng, held = np.random.default_rng(7), []
    for _ in range(200):
        scores = (rng.random((2, 2, 60)) < share).astype(float)
        difference = judge_best([scores], [1.0], 0, confidence=0.95).differences[1]
        held.append(difference.low <= 0 <= difference.high and difference.low < difference.high)
    assert np.mean(held) > 0.92  # 60 right answers of 60 leave nothing that varies
