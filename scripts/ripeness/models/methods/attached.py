"""Define what a kind of tuning has put into a model, and what of it is saved."""

import torch

State = dict[str, torch.Tensor]


class Attached:
    """What a kind trains in a model; this one is of kinds that train weights of the model itself.

    Another kind overrides all three methods.
    """

    def state(self) -> State | None:
        """Return the tuned state, tensors by name on the CPU; None where it is the weights of the model."""
        return None

    def load(self, state: State) -> None:
        """Put back what `state` returned; KeyError or ValueError for a state of another model."""
        raise KeyError("the weights of the model are its state")

    def merge(self) -> None:
        """Make the model one like any other, with what was learned in its weights."""
