"""Which things are on a front."""

import numpy as np

from ripeness.stats.fronts import on_front


def test_what_another_beats_in_both_is_not_on_the_front():
    gained = np.array([0.0, 0.3, 0.5, 0.5, 0.2])
    lost = np.array([0.0, 0.1, 0.4, 0.6, 0.1])
    assert on_front(gained, lost).tolist() == [True, True, True, False, False]


def test_equal_things_are_both_there_and_one_worse_number_is_enough_to_leave():
    assert on_front(np.array([0.5, 0.5]), np.array([0.1, 0.1])).all()
    assert on_front(np.array([0.5, 0.5]), np.array([0.1, 0.2])).tolist() == [True, False]
    assert on_front(np.array([0.5, 0.4]), np.array([0.1, 0.1])).tolist() == [True, False]


def test_draws_are_judged_one_by_one_as_by_comparing_every_pair():
    gained, lost = np.random.default_rng(0).integers(0, 5, (2, 6, 50))
    found = on_front(gained, lost)
    for draw in range(50):
        pairs = list(zip(gained[:, draw], lost[:, draw], strict=True))
        beaten = [any(g >= gain and t <= loss and (g, t) != (gain, loss) for g, t in pairs) for gain, loss in pairs]
        assert found[:, draw].tolist() == [not one for one in beaten]
