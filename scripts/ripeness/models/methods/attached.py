"""Define what a kind of tuning has put into a model, and what of it is saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

State = dict[str, torch.Tensor]


class Attached:
    """What a kind trains in a model; this one is of kinds that train weights of the model itself.

    A kind with a state of its own overrides the first three methods. The other ones are for kinds whose training is
    more than steps of the optimizer.
    """

    def state(self) -> State | None:
        """Return the tuned state, tensors by name on the CPU; None where it is the weights of the model."""
        return None

    def load(self, state: State) -> None:
        """Put back what `state` returned; KeyError or ValueError for a state of another model."""
        raise KeyError("the weights of the model are its state")

    def merge(self) -> None:
        """Make the model one like any other, with what was learned in its weights, or in what stays attached."""

    def start_from(self, others: Sequence[State]) -> None:
        """Take the tuned states of other trainings, of which the kind is made; ValueError for kinds that are not."""
        raise ValueError("this kind is made of no other trainings")

    def begin(self, n_steps: int) -> None:
        """Learn how many steps there will be, before the first one; UserError for a number that cannot be."""

    def before_step(self, step: int) -> None:
        """Change what was attached, after so many steps, before the next one."""

    def penalty(self) -> torch.Tensor | None:
        """Return a term that is added to the loss of a step; None for nothing."""
        return None

    def after_step(self, step: int) -> None:
        """Change what was attached, after so many steps, while the gradient of the last one is there."""


@dataclass(frozen=True)
class LabelledStates:
    """The states of n items, (n, d), and the place of the right label of each, (n,)."""

    states: torch.Tensor
    golds: torch.Tensor


class Fit(NamedTuple):
    """The loss of a fit on its own items (nats an item), and what its record says besides."""

    loss: float
    remarks: dict[str, Any]


class Fitted(Attached):
    """What a kind fits to states of a model that are read once, without steps of an optimizer."""

    def fit(self, train: LabelledStates, validation: LabelledStates) -> Fit:
        """Fit to the states of training items; those of validation items choose among several fits."""
        raise NotImplementedError


def put_in(places: State, state: State) -> None:
    """Copy a state into its places; KeyError or ValueError where it is of others."""
    if wrong := sorted(places.keys() ^ state.keys()):
        raise KeyError(f"{wrong[0]} is not in both the model and the state")
    with torch.no_grad():
        for name, place in places.items():
            if (place.shape, place.dtype) != (state[name].shape, state[name].dtype):
                raise ValueError(f"{name} has shape {list(state[name].shape)}, not {list(place.shape)}")
            place.copy_(state[name])
