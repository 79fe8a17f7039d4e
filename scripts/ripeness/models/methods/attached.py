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


def put_in(places: State, state: State) -> None:
    """Copy a state into its places; KeyError or ValueError where it is of others."""
    if wrong := sorted(places.keys() ^ state.keys()):
        raise KeyError(f"{wrong[0]} is not in both the model and the state")
    with torch.no_grad():
        for name, place in places.items():
            if (place.shape, place.dtype) != (state[name].shape, state[name].dtype):
                raise ValueError(f"{name} has shape {list(state[name].shape)}, not {list(place.shape)}")
            place.copy_(state[name])
