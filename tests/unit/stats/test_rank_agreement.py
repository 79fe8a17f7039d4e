import numpy as np
import pytest

from ripeness.stats.rank_agreement import agreement, lost, tau


def test_tau_is_that_of_kendall_and_a_tie_is_worth_nothing():
    assert tau(np.array([1, 2, 3]), np.array([1, 3, 2])) == pytest.approx(1 / 3)
    assert tau(np.array([1, 2]), np.array([5, 5])) == 0
    assert np.isnan(tau(np.array([1]), np.array([1])))


@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
def test_noise_alone_takes_nothing_from_the_agreement_between_beyond_that_within(noise):
    """Orders that do not change agree as much between as within, however noisy; a reversed one disagrees."""
    rng = np.random.default_rng(3)
    truth = np.arange(5) * 0.5

    def drawn(other, n):
        pairs = [[order[:, None] + noise * rng.standard_normal((5, 3)) for order in (truth, other)] for _ in range(n)]
        return lost([agreement(*pair) for pair in pairs])

    same = drawn(truth, 600)
    assert abs(same.mean()) <= 3 * same.std() / 600**0.5
    changed = drawn(truth[::-1], 300).mean()
    assert changed > 0.2 and (noise > 0.1 or changed > 1.8)
    unordered = drawn(np.zeros(5), 600)  # no order yet: nothing that could change
    assert unordered.mean() < 3 * unordered.std() / 600**0.5


def test_one_repeat_or_no_difference_tells_nothing():
    assert agreement(np.ones((3, 1)), np.ones((3, 1))) is None
    assert agreement(np.ones((3, 2)), np.ones((3, 2))) is None
