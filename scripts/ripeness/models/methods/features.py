"""Fit a logistic regression to the last states of a model that stays as it is.

The loss is the mean negative log-probability of the right label (nats) plus half of the penalty times the sum of all
squared weights, on states with mean 0 and deviation 1 over the training items; the bias is free. It has one minimum,
which is found in double precision, so that nothing depends on a seed.
"""

import math

import torch
from scipy.optimize import minimize
from transformers import PreTrainedModel

from ripeness.models.forward.state_outputs import width_of_states
from ripeness.models.label_map import LabelMap, put_map
from ripeness.models.methods.attached import Fit, Fitted, LabelledStates, State, put_in
from ripeness.study.methods.features import FeaturesSettings, strengths_of

MOST_STEPS = 20_000  # of L-BFGS
SMALLEST_GRADIENT = 1e-12  # at which a minimum counts as found


class Features(Fitted):
    """A map of the states of a model, which is zero until it is fitted or loaded."""

    def __init__(self, model: PreTrainedModel, settings: FeaturesSettings) -> None:
        """Make the map."""
        n_labels, width = len(settings.labels), width_of_states(model)
        weight = torch.zeros(n_labels, width, dtype=torch.float64)
        self.model, self.settings = model, settings
        self.map = LabelMap(weight, torch.zeros_like(weight[:, 0]), settings.labels)

    def state(self) -> State:
        """Return a copy of the map."""
        return {"weight": self.map.weight.clone(), "bias": self.map.bias.clone()}

    def load(self, state: State) -> None:
        """Put a map in the place of that at hand."""
        put_in({"weight": self.map.weight, "bias": self.map.bias}, state)

    def merge(self) -> None:
        """Give the map to the model, which otherwise stays as it is."""
        put_map(self.model, self.map)

    def fit(self, train: LabelledStates, validation: LabelledStates) -> Fit:
        """Fit the map with each penalty; keep that with the smallest loss on validation, of equals the strongest."""
        fits = {strength: fitted(train, strength, self.settings.labels) for strength in strengths_of(self.settings)}
        losses = {strength: loss_of(found, validation) for strength, found in fits.items()}
        chosen = min(losses, key=lambda strength: losses[strength])
        self.map = fits[chosen]
        return Fit(loss_of(self.map, train), {"penalty": chosen, "validation_losses": list(map(list, losses.items()))})


def attach(model: PreTrainedModel, settings: FeaturesSettings) -> Features:
    """Put a map of zeros next to a model; UserError where its last states are not found."""
    return Features(model, settings)


def loss_of(label_map: LabelMap, items: LabelledStates) -> float:
    """Compute the mean negative log-probability (nats) of the right label."""
    return -label_map.logps(items.states).gather(1, items.golds[:, None]).mean().item()


def fitted(items: LabelledStates, strength: float, labels: tuple[str, ...]) -> LabelMap:
    """Fit a map to the states of n items.

    Of a label that no item has there is nothing to learn: its weights are 0 and its bias is -log n, where the mean of
    the others is 0.
    """
    states = items.states.double()
    mean, deviation = states.mean(0), states.std(0, correction=0)
    deviation = deviation.where(deviation > 0, 1.0)
    seen, golds = items.golds.unique(return_inverse=True)
    weight, bias = minimum((states - mean) / deviation, golds, len(seen), strength)
    all_weights = torch.zeros(len(labels), states.shape[1], dtype=torch.float64)
    all_biases = torch.full((len(labels),), -math.log(len(golds)), dtype=torch.float64)
    all_weights[seen] = weight / deviation
    all_biases[seen] = bias - (weight / deviation) @ mean
    return LabelMap(all_weights, all_biases, labels)


def minimum(states: torch.Tensor, golds: torch.Tensor, n_labels: int, strength: float) -> tuple[torch.Tensor, ...]:
    """Find the weights (K, d) and biases (K,) of the smallest loss on standardised states (n, d)."""
    n, width = states.shape
    right = torch.nn.functional.one_hot(golds, n_labels).double()

    def loss(numbers: object) -> tuple[float, object]:
        weight, bias = torch.as_tensor(numbers).view(n_labels, width + 1).split([width, 1], dim=1)
        logps = torch.log_softmax(states @ weight.T + bias.T, dim=1)
        wrong = (logps.exp() - right) / n  # (n, K)
        gradient = torch.cat([wrong.T @ states + strength * weight, wrong.sum(0)[:, None]], dim=1)
        value = -(logps * right).sum() / n + strength / 2 * weight.square().sum()
        return value.item(), gradient.flatten().numpy()

    start = torch.zeros(n_labels * (width + 1), dtype=torch.float64).numpy()
    how = {"maxiter": MOST_STEPS, "maxfun": 2 * MOST_STEPS, "gtol": SMALLEST_GRADIENT, "ftol": 0.0, "maxcor": 30}
    found = torch.as_tensor(minimize(loss, start, jac=True, method="L-BFGS-B", options=how).x)
    weight, bias = found.view(n_labels, width + 1).split([width, 1], dim=1)
    return weight, bias[:, 0]
