"""Train, perturb and fine-tune the two-layer linear network f(x) = W1 W2 x.

The model in which Springer et al. 2025 (arXiv 2503.19206, section 4) explain why more pre-training can make a network
more sensitive. Inputs are isotropic, so the loss of weights for a task A is |W1 W2 - A|^2 / 2, with Frobenius norms.
Weights are pairs of arrays [..., width, width]; leading axes are networks side by side. docs/theory.md derives the
formulae.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ripeness.study.theory_settings import Target

Weights = tuple[np.ndarray, np.ndarray]
AT_ONCE = 8  # networks under noise at once: of more the arrays outgrow the fast memory


@dataclass(frozen=True)
class Task:
    """A linear map by its singular value decomposition: left and right [width, width], strengths [width], falling."""

    left: np.ndarray
    strengths: np.ndarray
    right: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """Compute the map itself, [width, width]."""
        return self.left * self.strengths @ self.right.T


@dataclass(frozen=True)
class Sample:
    """Examples of a task by what their loss depends on: E[x x'], E[y x'] and E[y'y], means over the examples."""

    inputs: np.ndarray
    crossed: np.ndarray
    outputs: float


def rotation_near(matrix: np.ndarray) -> np.ndarray:
    """Return the orthogonal factor of a QR decomposition whose triangle has a positive diagonal.

    Without that convention LAPACK may give minus the rotation, and a target slightly turned would be one reversed.
    """
    orthogonal, triangle = np.linalg.qr(matrix)
    return orthogonal * np.where(np.diag(triangle) < 0, -1.0, 1.0)


def power_law(width: int, exponent: float) -> np.ndarray:
    """Return singular values i^-exponent, [width]."""
    return np.arange(1, width + 1) ** -float(exponent)


def random_task(strengths: np.ndarray, rng: np.random.Generator) -> Task:
    """Return a task with these singular values and random singular vectors."""
    width = len(strengths)
    left, right = (rotation_near(rng.standard_normal((width, width))) for _ in range(2))
    return Task(left, strengths, right)


def target_of(task: Task, target: Target, rng: np.random.Generator) -> np.ndarray:
    """Return the map that is fine-tuned on, [width, width]."""
    width = len(task.strengths)
    if target.constant is not None:
        strengths = np.full(width, target.constant)
    else:
        changed = np.arange(width) < (target.first or width)
        strengths = np.where(changed, target.factor * task.strengths, task.strengths)
    turn = rotation_near(np.eye(width) + target.rotation * rng.standard_normal((width, width)))
    return task.left @ turn * strengths @ task.right.T


def swapped(matrices: np.ndarray) -> np.ndarray:
    """Transpose each matrix."""
    return np.swapaxes(matrices, -1, -2)


def squares(matrices: np.ndarray) -> np.ndarray:
    """Compute the squared Frobenius norm of each matrix."""
    return (matrices**2).sum(axis=(-2, -1))


def loss(weights: Weights, target: np.ndarray) -> np.ndarray:
    """Compute the loss of each network for the task `target` over all inputs; infinite or NaN if a network diverged."""
    return squares(weights[0] @ weights[1] - target) / 2


def start_of(width: int, initial_std: float) -> float:
    """Return the strength from which every feature grows when all weights begin as normal with `initial_std`.

    Of W1'u and W2 v (each [width]) the mean of both grows and the difference dies; its squared norm is this.
    """
    return width * initial_std**2 / 2


def learned_strengths(strengths: np.ndarray, start: float, times: np.ndarray) -> np.ndarray:
    """Compute strengths after gradient flow from balanced weights of strength `start`: [times, width].

    ds/dt = 2 s (sigma - s), feature by feature (Saxe et al. 2014; Gidel et al. 2019): large ones first.
    """
    decay = np.exp(-2 * strengths * np.asarray(times, float)[:, None])
    return strengths / (1 + (strengths / start - 1) * decay)


def balanced_weights(task: Task, strengths: np.ndarray) -> Weights:
    """Return weights with these strengths [..., width] along the task's singular vectors, balanced over the layers."""
    root = np.sqrt(strengths)[..., None, :]
    return task.left * root, swapped(task.right * root)


def descend(task: Task, weights: Weights, rate: float, steps: Sequence[int]) -> Weights:
    """Run gradient descent on the pre-training loss; return the weights after each of the rising `steps`."""
    (first, second), matrix = weights, task.matrix
    kept: list[Weights] = []
    for step in range(max(steps) + 1):
        if step in steps:
            kept.append((first, second))
        error = first @ second - matrix
        first, second = first - rate * error @ second.T, second - rate * first.T @ error
    return np.stack([one for one, _ in kept]), np.stack([two for _, two in kept])


def random_weights(width: int, initial_std: float, rng: np.random.Generator) -> Weights:
    """Draw the initial weights."""
    first, second = initial_std * rng.standard_normal((2, width, width))
    return first, second


def strengths_of(task: Task, weights: Weights) -> np.ndarray:
    """Measure the strength of each of the task's features in the networks: [..., width]."""
    return np.einsum("if,...ij,jf->...f", task.left, weights[0] @ weights[1], task.right)


def n_learned(task: Task, weights: Weights) -> np.ndarray:
    """Count the features with more than half of their strength."""
    return (strengths_of(task, weights) > task.strengths / 2).sum(axis=-1)


def expected_increase(weights: Weights, gamma: float) -> np.ndarray:
    """Compute the mean increase of the loss under normal noise of standard deviation `gamma` on every weight.

    gamma^2 width (|W1|^2 + |W2|^2) / 2 + gamma^4 width^3 / 2.
    """
    width = weights[0].shape[-1]
    return gamma**2 * width * (squares(weights[0]) + squares(weights[1])) / 2 + gamma**4 * width**3 / 2


def threshold(gamma: float, width: int) -> float:
    """Return the singular value below which learning a feature makes the loss after noise larger: 2 gamma^2 width."""
    return 2 * gamma**2 * width


def expected_change(strengths: np.ndarray, gamma: float, width: int) -> np.ndarray:
    """Compute how fully learning a feature changes the loss after noise: gamma^2 width sigma - sigma^2 / 2."""
    return gamma**2 * width * strengths - strengths**2 / 2


def noisy_losses(
    weights: Weights, target: np.ndarray, gamma: float, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Compute losses after noise, [draws, networks]: every network under the same noise, each draw with all signs.

    The mean over both signs of either layer's noise is one value: what is odd in a noise is gone, the mean stays.
    """
    found = np.empty((draws, len(weights[0])))
    parts = [slice(first, first + AT_ONCE) for first in range(0, len(weights[0]), AT_ONCE)]
    for draw in range(draws):
        one, two = gamma * rng.standard_normal((2, *target.shape))
        for part in parts:
            first, second = weights[0][part], weights[1][part]
            signs = [(first + one, second + two), (first - one, second - two)]
            signs += [(first + one, second - two), (first - one, second + two)]
            found[draw, part] = np.mean([loss(signed, target) for signed in signs], axis=0)
    return found


def draw_sample(target: np.ndarray, examples: int, label_noise: float, rng: np.random.Generator) -> Sample:
    """Draw examples of a task: standard normal inputs, outputs with normal noise of that standard deviation."""
    inputs = rng.standard_normal((target.shape[1], examples))
    outputs = target @ inputs + label_noise * rng.standard_normal((target.shape[0], examples))
    return Sample(inputs @ inputs.T / examples, outputs @ inputs.T / examples, float((outputs**2).sum() / examples))


def all_examples(target: np.ndarray) -> Sample:
    """Return a task without sampling: every input, no noise."""
    return Sample(np.eye(target.shape[1]), target, float(squares(target)))


def sample_loss(weights: Weights, sample: Sample) -> np.ndarray:
    """Compute the mean of |W1 W2 x - y|^2 / 2 over the examples, for each network."""
    product = weights[0] @ weights[1]
    fitted = ((product @ sample.inputs - 2 * sample.crossed) * product).sum(axis=(-2, -1))
    return (fitted + sample.outputs) / 2


def fine_tune(weights: Weights, sample: Sample, rates: np.ndarray | float, steps: int, *, pull: float = 0.0) -> Weights:
    """Run gradient descent on the examples; `rates` has one value a network or broadcasts to them.

    `pull` adds pull / 2 times the squared distance from where tuning began. What diverges ends as infinite or NaN.
    """
    rate = np.asarray(rates, float)[..., None, None]
    first, second = weights
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            product = first @ second
            # one large product is twice as fast as many small ones
            seen = (product.reshape(-1, product.shape[-1]) @ sample.inputs).reshape(product.shape)
            error = seen - sample.crossed
            down_first, down_second = error @ swapped(second), swapped(first) @ error
            if pull:
                down_first = down_first + pull * (first - weights[0])
                down_second = down_second + pull * (second - weights[1])
            first, second = first - rate * down_first, second - rate * down_second
    return first, second


def distance(weights: Weights, start: Weights) -> np.ndarray:
    """Measure how far weights have moved, over both layers."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(squares(weights[0] - start[0]) + squares(weights[1] - start[1]))
