"""Simulate one seed of the linear networks as rows of the tables: noise, features learned, fine-tuning."""

from typing import Any

import numpy as np

from ripeness.study.theory_settings import Settings, Target, steps_of
from ripeness.theory import linear_network as network
from ripeness.theory.linear_network import Sample, Task, Weights

Row = dict[str, Any]


def simulate(settings: Settings, study: str, seed: int) -> dict[str, list[Row]]:
    """Return the rows of every table for one seed, which draws the task, the start, the noise and the examples."""
    rngs = [np.random.default_rng((seed, part)) for part in range(4)]
    task = network.random_task(network.power_law(settings.width, settings.spectrum_exponent), rngs[0])
    weights = pretrain(task, settings, rngs[0])
    who = {"study": study, "seed": seed}
    tables = {
        "noisy_networks": noisy_rows(task, weights, settings, rngs[1]),
        "learned_features": feature_rows(task, settings, rngs[2]),
        "tuned_networks": tuned_rows(task, weights, settings, rngs[3]),
    }
    return {name: [who | row for row in rows] for name, rows in tables.items()}


def times_of(settings: Settings) -> np.ndarray:
    """Return the times of the checkpoints."""
    return np.array(steps_of(settings)) * settings.pretraining_rate


def flow(task: Task, settings: Settings) -> np.ndarray:
    """Compute the strengths at the checkpoints in closed form: [checkpoints, width]."""
    start = network.start_of(settings.width, settings.initial_std)
    return network.learned_strengths(task.strengths, start, times_of(settings))


def pretrain(task: Task, settings: Settings, rng: np.random.Generator) -> Weights:
    """Return the checkpoints: by gradient descent from small random weights, or the closed form of gradient flow."""
    if settings.pretraining == "closed-form":
        return network.balanced_weights(task, flow(task, settings))
    start = network.random_weights(settings.width, settings.initial_std, rng)
    return network.descend(task, start, settings.pretraining_rate, steps_of(settings))


def places(task: Task, weights: Weights, settings: Settings) -> list[Row]:
    """Return the identity and the untouched loss of every checkpoint."""
    counts, losses = network.n_learned(task, weights), network.loss(weights, task.matrix)
    return [
        {"checkpoint": number, "time": time, "n_learned": int(count), "base_loss": float(base)}
        for number, (time, count, base) in enumerate(zip(times_of(settings), counts, losses, strict=True), 1)
    ]


def noisy_rows(task: Task, weights: Weights, settings: Settings, rng: np.random.Generator) -> list[Row]:
    """Perturb every checkpoint with noise of every gamma.

    `flow_loss` is what the closed form says of it without noise.
    """
    rows = []
    checkpoints = places(task, weights, settings)
    flow_losses = ((flow(task, settings) - task.strengths) ** 2).sum(axis=1) / 2
    for gamma in settings.gammas:
        losses = network.noisy_losses(weights, task.matrix, gamma, settings.draws, rng)
        errors = losses.std(axis=0, ddof=1) / np.sqrt(settings.draws)
        found = zip(checkpoints, losses.mean(axis=0), errors, strict=True)
        expected = network.expected_increase(weights, gamma)
        for number, (place, after, se) in enumerate(found):
            more = {"gamma": gamma, "loss": after, "increase": after - place["base_loss"], "se": se}
            said = {"expected_increase": expected[number], "flow_loss": flow_losses[number]}
            rows.append(place | more | said)
    return rows


def feature_rows(task: Task, settings: Settings, rng: np.random.Generator) -> list[Row]:
    """Make rows of networks with only the first n features, n from 0, under noise; `change` is from n - 1 to n."""
    width = settings.width
    weights = network.balanced_weights(task, np.tril(np.tile(task.strengths, (width + 1, 1)), k=-1))
    base = network.loss(weights, task.matrix)
    rows = []
    for gamma in settings.gammas:
        losses = network.noisy_losses(weights, task.matrix, gamma, settings.draws, rng)
        expected = base + network.expected_increase(weights, gamma)
        changes = np.diff(losses, axis=1)
        errors = changes.std(axis=0, ddof=1) / np.sqrt(settings.draws)
        predicted = network.expected_change(task.strengths, gamma, width)
        for n in range(width + 1):
            row = {"n_learned": n, "gamma": gamma, "threshold": network.threshold(gamma, width)}
            row |= {"base_loss": base[n], "loss": losses[:, n].mean(), "expected_loss": expected[n]}
            if n:
                row |= {"strength": task.strengths[n - 1], "change": changes[:, n - 1].mean()}
                row |= {"se": errors[n - 1], "expected_change": predicted[n - 1]}
            rows.append(row)
    return rows


def tuned_rows(task: Task, weights: Weights, settings: Settings, rng: np.random.Generator) -> list[Row]:
    """Return every checkpoint tuned on every target, at every rate and pull. A loss is null where tuning diverged."""
    rows = []
    for name, target in settings.targets.items():
        matrix = network.target_of(task, target, rng)
        samples = [network.draw_sample(matrix, settings.examples, settings.label_noise, rng) for _ in range(2)]
        what = {"target": name, "rotation": target.rotation, "is_opposed": is_opposed(target)}
        for place, *start in zip(places(task, weights, settings), *weights, strict=True):
            base = what | {"task_base_loss": float(network.loss(tuple(start), matrix))}
            for pull in settings.pulls:
                found = tuned_at_rates(tuple(start), (task.matrix, matrix), samples, settings, pull)
                rows += [place | base | {"pull": pull} | row for row in found]
    return rows


def tuned_at_rates(
    start: Weights, maps: tuple[np.ndarray, np.ndarray], samples: list[Sample], settings: Settings, pull: float
) -> list[Row]:
    """Tune one checkpoint at every rate, side by side, measured on pre-training and target (`maps`).

    The first sample is tuned on; on the second the rate is chosen.
    """
    train, validation = samples
    tuned = network.fine_tune(start, train, np.array(settings.rates), settings.steps, pull=pull)
    with np.errstate(over="ignore", invalid="ignore"):
        found = {
            "loss": network.loss(tuned, maps[0]),
            "task_loss": network.loss(tuned, maps[1]),
            "validation_loss": network.sample_loss(tuned, validation),
            "displacement": network.distance(tuned, start),
        }
    chosen = np.nan_to_num(found["validation_loss"], nan=np.inf, posinf=np.inf).argmin()
    return [
        {"rate": rate, "is_fixed": rate in settings.fixed_rates, "is_chosen": bool(place == chosen)}
        | {key: float(value[place]) if np.isfinite(value[place]) else None for key, value in found.items()}
        for place, rate in enumerate(settings.rates)
    ]


def is_opposed(target: Target) -> bool:
    """Tell whether a task is the opposite of what pre-training taught."""
    return target.constant is None and target.factor < 0
