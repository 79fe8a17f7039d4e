"""Two-layer linear networks against what is known of them in closed form, and against known cases."""

import numpy as np
import pytest

from ripeness.study.theory_settings import Target
from ripeness.theory import linear_network as network

WIDTH = 32
STRENGTHS = network.power_law(WIDTH, 1.0)
TIMES = np.geomspace(3, 300, 14)
RATES = np.geomspace(1e-4, 0.5, 16)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def task():
    return network.random_task(STRENGTHS, rng())


@pytest.fixture(scope="module")
def checkpoints(task):
    """Fourteen checkpoints of gradient flow from strength 1e-6."""
    return network.balanced_weights(task, network.learned_strengths(STRENGTHS, 1e-6, TIMES))


def test_tasks_have_their_singular_values_and_rotations_keep_them(task):
    assert np.linalg.svd(task.matrix, compute_uv=False) == pytest.approx(STRENGTHS)
    assert task.left.T @ task.left == pytest.approx(np.eye(WIDTH), abs=1e-12)
    turned = network.target_of(task, Target(rotation=0.15), rng(1))
    assert np.linalg.svd(turned, compute_uv=False) == pytest.approx(STRENGTHS)


def test_a_slight_rotation_is_near_the_task_and_not_near_its_opposite(task):
    turned = network.target_of(task, Target(rotation=0.01), rng(1))
    assert network.squares(turned - task.matrix) < 0.02 * network.squares(task.matrix)
    assert network.target_of(task, Target(factor=-1.0), rng(1)) == pytest.approx(-task.matrix)


def test_targets_change_the_strengths_that_they_name(task):
    strong = network.target_of(task, Target(factor=1.5, first=4), rng())
    expected = np.where(np.arange(WIDTH) < 4, 1.5, 1.0) * STRENGTHS
    assert np.diag(task.left.T @ strong @ task.right) == pytest.approx(expected)
    flat = network.target_of(task, Target(constant=0.35), rng())
    assert np.linalg.svd(flat, compute_uv=False) == pytest.approx(np.full(WIDTH, 0.35))


def test_gradient_descent_from_balanced_weights_follows_the_closed_form(task):
    start, rate = 1e-4, 0.01
    steps = [200, 800, 3000, 8000]
    begin = network.balanced_weights(task, np.full(WIDTH, start))
    learned = network.strengths_of(task, network.descend(task, begin, rate, steps))
    closed = network.learned_strengths(STRENGTHS, start, np.array(steps) * rate)
    assert learned == pytest.approx(closed, abs=0.01)


def test_gradient_descent_from_small_random_weights_comes_near_the_closed_form(task):
    begin = network.random_weights(WIDTH, 1e-3, rng(3))
    steps = [80, 150, 300, 600, 2000]
    weights = network.descend(task, begin, 0.1, steps)
    closed = network.learned_strengths(STRENGTHS, network.start_of(WIDTH, 1e-3), np.array(steps) * 0.1)
    losses = ((closed - STRENGTHS) ** 2).sum(axis=1) / 2
    assert network.loss(weights, task.matrix) == pytest.approx(losses, abs=0.06)
    counts = network.n_learned(task, weights)
    assert abs(counts - (closed > STRENGTHS / 2).sum(axis=1)).max() <= 1


@pytest.mark.parametrize("gamma", [0.03, 0.06, 0.1])
def test_noise_adds_what_the_closed_form_says_within_three_percent(task, checkpoints, gamma):
    some = checkpoints[0][::3], checkpoints[1][::3]
    base = network.loss(some, task.matrix)
    measured = network.noisy_losses(some, task.matrix, gamma, 400, rng(4)).mean(axis=0) - base
    assert measured == pytest.approx(network.expected_increase(some, gamma), rel=0.03)


def test_weights_need_not_be_balanced_for_the_closed_form(task):
    weights = rng(5).standard_normal((2, 1, WIDTH, WIDTH)) * 0.2
    base = network.loss(weights, task.matrix)
    measured = network.noisy_losses(weights, task.matrix, 0.1, 400, rng(6)).mean(axis=0) - base
    assert measured == pytest.approx(network.expected_increase(weights, 0.1), rel=0.03)


@pytest.mark.parametrize("gamma", [0.03, 0.06, 0.1])
def test_a_feature_is_learned_at_a_loss_exactly_below_the_threshold(task, gamma):
    edge = network.threshold(gamma, WIDTH)
    assert edge == pytest.approx(2 * gamma**2 * WIDTH)
    for ratio in (0.8, 1.25):
        without, single = np.zeros(WIDTH), np.zeros(WIDTH)
        single[0] = ratio * edge
        alone = network.Task(task.left, single, task.right)
        both = network.balanced_weights(alone, np.stack([without, single]))
        losses = network.noisy_losses(both, alone.matrix, gamma, 400, rng(7))
        change = losses[:, 1] - losses[:, 0]
        predicted = network.expected_change(single[:1], gamma, WIDTH)[0]
        error = change.std(ddof=1) / np.sqrt(len(change))
        assert np.sign(predicted) == np.sign(1 - ratio)
        assert abs(change.mean() - predicted) < 4 * error and abs(change.mean()) > 2 * error
        assert np.sign(change.mean()) == np.sign(1 - ratio)


def test_known_case_loss_after_noise_turns_where_small_features_are_learned(task, checkpoints):
    after = network.loss(checkpoints, task.matrix) + network.expected_increase(checkpoints, 0.06)
    assert (after[0], after.min(), after[-1]) == pytest.approx((1.02, 0.538, 0.68), abs=0.005)
    ranks = network.n_learned(task, checkpoints)
    turns = {gamma: (network.threshold(gamma, WIDTH) < STRENGTHS).sum() for gamma in (0.03, 0.06, 0.1)}
    assert turns == {0.03: 17, 0.06: 4, 0.1: 1}
    assert abs(ranks[after.argmin()] - turns[0.06]) <= 1


def test_known_case_a_fixed_rate_on_a_flat_target_turns_at_six_features(task, checkpoints):
    flat = network.target_of(task, Target(constant=0.35), rng())
    strengths = network.learned_strengths(STRENGTHS, 1e-6, np.geomspace(3, 300, 60))
    fine = network.balanced_weights(task, strengths)
    tuned = network.fine_tune(fine, network.all_examples(flat), 0.05, 40)
    pretraining, own = network.loss(tuned, task.matrix), network.loss(tuned, flat)
    assert (pretraining[0], pretraining.min(), pretraining[-1]) == pytest.approx((0.80, 0.224, 0.310), abs=0.01)
    assert network.n_learned(task, fine)[pretraining.argmin()] in (5, 6, 7)
    assert (own[0], own[-1]) == pytest.approx((1.96, 0.53), abs=0.01) and (np.diff(own) < 1e-6).all()


def sampled(task, target, seed=0):
    """Examples to tune on; 64 with label noise 0.3, as in the known cases."""
    return network.draw_sample(target, 64, 0.3, rng(seed))


def test_known_case_with_few_noisy_examples_both_losses_rise_at_a_fixed_rate(task, checkpoints):
    target = network.target_of(task, Target(factor=1.5, first=4), rng())
    own, pretraining = [], []
    for seed in range(3):
        tuned = network.fine_tune(checkpoints, sampled(task, target, seed), 0.05, 200)
        own.append(network.loss(tuned, target))
        pretraining.append(network.loss(tuned, task.matrix))
    own, pretraining = np.mean(own, axis=0), np.mean(pretraining, axis=0)
    assert (own[0], own.min(), own[-1]) == pytest.approx((0.352, 0.323, 0.709), rel=0.15)
    assert (pretraining[0], pretraining[-1]) == pytest.approx((0.403, 0.886), rel=0.15)
    assert 0 < own.argmin() < len(own) - 1


def at_best_rates(task, checkpoints, target, *, pull=0.0):
    """Rates with the least loss on the target for each checkpoint, that loss, and pre-training's; mean of 3 draws."""
    found = []
    for seed in range(3):
        start = checkpoints[0][:, None], checkpoints[1][:, None]
        tuned = network.fine_tune(start, sampled(task, target, seed), RATES, 200, pull=pull)
        own = np.nan_to_num(network.loss(tuned, target), nan=np.inf, posinf=np.inf)
        best = own.argmin(axis=1)
        rows = np.arange(len(best))
        found.append((RATES[best], own[rows, best], network.loss(tuned, task.matrix)[rows, best]))
    return np.mean(found, axis=0)


@pytest.fixture(scope="module")
def ends(checkpoints):
    """The first checkpoint, one in the middle and the last."""
    return checkpoints[0][[0, 6, -1]], checkpoints[1][[0, 6, -1]]


@pytest.fixture(scope="module")
def opposed(task):
    """The known rotated case: minus a slight rotation, as a QR decomposition without a convention of sign gives it."""
    return network.target_of(task, Target(factor=-1.0, rotation=0.15), rng(1))


def test_known_case_a_tuned_rate_removes_the_degradation_of_an_aligned_target(task, ends):
    target = network.target_of(task, Target(factor=1.5, first=4), rng())
    rates, own, _ = at_best_rates(task, ends, target)
    assert (own[0], own[-1]) == pytest.approx((0.347, 0.066), rel=0.2)
    assert rates[0] / rates[-1] > 10 and (np.diff(own) < 0).all()


def test_known_case_a_tuned_rate_does_not_remove_it_for_an_opposed_rotated_target(task, ends, opposed):
    rates, own, pretraining = at_best_rates(task, ends, opposed)
    assert (own[0], own[-1]) == pytest.approx((0.357, 0.598), rel=0.2)
    assert rates[0] / rates[-1] < 4 and pretraining[-1] == pytest.approx(2.37, rel=0.25)


def test_known_case_a_pull_helps_early_and_does_not_cure(task, ends, opposed):
    _, own, _ = at_best_rates(task, ends, opposed)
    _, pulled, _ = at_best_rates(task, ends, opposed, pull=0.1)
    assert pulled[0] < own[0] and pulled[-1] > 1.3 * pulled[0]
    assert (pulled[0], pulled[-1]) == pytest.approx((0.306, 0.618), rel=0.2)


def test_a_pull_keeps_weights_near_where_they_began(task, ends, opposed):
    sample = sampled(task, opposed)
    moved = [network.distance(network.fine_tune(ends, sample, 0.03, 100, pull=pull), ends) for pull in (0, 0.1, 1.0)]
    assert (np.diff(np.array(moved), axis=0) < 0).all()
    free, without = network.fine_tune(ends, sample, 0.03, 100), network.fine_tune(ends, sample, 0.03, 100, pull=0.0)
    assert np.array_equal(free[0], without[0])


def test_fine_tuning_takes_the_gradient_of_the_loss_and_the_pull(task):
    start = rng(8).standard_normal((2, WIDTH, WIDTH)) * 0.1
    here = start + 0.01 * rng(9).standard_normal(start.shape)
    sample, rate, pull = sampled(task, task.matrix), 1e-3, 0.7
    # from `here` the second of two steps feels the pull towards `here`, so one step away from it is taken first
    one = network.fine_tune(tuple(here), sample, rate, 1, pull=pull)
    two = network.fine_tune(tuple(here), sample, rate, 2, pull=pull)

    def cost(first, second):
        near = network.squares(first - here[0]) + network.squares(second - here[1])
        return network.sample_loss((first, second), sample) + pull / 2 * near

    step = 1e-6
    for layer, (row, column) in ((0, (3, 5)), (1, (7, 2))):
        changed = [part.copy() for part in one], [part.copy() for part in one]
        changed[0][layer][row, column] += step
        changed[1][layer][row, column] -= step
        slope = (cost(*changed[0]) - cost(*changed[1])) / (2 * step)
        assert (one[layer] - two[layer])[row, column] / rate == pytest.approx(slope, rel=1e-4)


def test_loss_on_examples_is_that_of_their_errors(task):
    generator, weights = rng(10), rng(11).standard_normal((2, WIDTH, WIDTH)) * 0.2
    sample = network.draw_sample(task.matrix, 50, 0.3, generator)
    again = rng(10)
    inputs = again.standard_normal((WIDTH, 50))
    outputs = task.matrix @ inputs + 0.3 * again.standard_normal((WIDTH, 50))
    errors = weights[0] @ weights[1] @ inputs - outputs
    assert network.sample_loss(tuple(weights), sample) == pytest.approx((errors**2).sum() / 100)
    assert network.sample_loss(tuple(weights), network.all_examples(task.matrix)) == pytest.approx(
        network.loss(tuple(weights), task.matrix)
    )


def test_a_rate_that_is_too_high_diverges_without_a_warning(task, ends):
    with np.errstate(all="raise"):
        tuned = network.fine_tune(ends, sampled(task, task.matrix), 50.0, 60)
    assert not np.isfinite(tuned[0]).all()
