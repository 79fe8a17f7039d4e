"""A linear map from the last state of a model to its label words, which stands next to the model's own output layer."""

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

NAME = "label_map"  # the attribute of a model that has one


@dataclass(frozen=True)
class LabelMap:
    """A map of states of width d to K labels: `weight` (K, d) and `bias` (K,) on the CPU."""

    weight: torch.Tensor
    bias: torch.Tensor
    labels: tuple[str, ...]

    def logps(self, states: torch.Tensor) -> torch.Tensor:
        """Compute the log-probability (nats) of each label at n states: (n, d) gives (n, K), in double precision."""
        return torch.log_softmax(states.double() @ self.weight.double().T + self.bias.double(), dim=-1)


def put_map(model: PreTrainedModel, label_map: LabelMap) -> None:
    """Give a model a map, which is none of its modules: its weights, and what it says of a text, stay as they are."""
    vars(model)[NAME] = label_map


def map_of(model: PreTrainedModel) -> LabelMap | None:
    """Return the map of a model; None for most models."""
    return vars(model).get(NAME)
