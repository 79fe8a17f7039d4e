"""Train an attention over the adapters of other datasets, which stay as they are (AdapterFusion, arXiv 2005.00247).

Behind a part that gives h, with adapters that change it by u_1 ... u_n: h + V (s_1 u_1 + ... + s_n u_n), where s is the
softmax of (Q h) . (K u_i) (Pfeiffer et al. 2021). As in the authors' code, V starts as the identity, and a hundredth of
its squared distance from there is part of the loss; the scores are not scaled. A bias of K would change no share, so K
has none. The state has the adapters too, so it needs nothing else but the checkpoint.
"""

from collections.abc import Mapping, Sequence

import torch
from transformers import PreTrainedModel

from ripeness.models.methods.adapter import Bottleneck
from ripeness.models.methods.attached import State, put_in
from ripeness.models.methods.hooked_networks import Behind, BehindParts, parts_of
from ripeness.runtime.errors import UserError
from ripeness.study.methods.fusion import FusionSettings

ADAPTERS = "adapters"  # in names of tensors; the number of one of them follows
SIZE = ".down.weight"  # the end of the name of a tensor with as many rows as an adapter has inner states
INITIAL_STD = 0.02  # of queries and keys
TO_IDENTITY = 0.01  # strength of the pull of V


class Fused(Behind):
    """Adapters behind a part, and the attention over what they change."""

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        """Start an attention from the random numbers at hand; adapters of these inner sizes are to be loaded."""
        super().__init__()
        self.adapters = torch.nn.ModuleList(Bottleneck(width, size) for size in sizes).requires_grad_(False)
        self.query, self.key = torch.nn.Linear(width, width), torch.nn.Linear(width, width, bias=False)
        self.value = torch.nn.Linear(width, width, bias=False)
        for layer in (self.query, self.key):
            torch.nn.init.normal_(layer.weight, std=INITIAL_STD)
        torch.nn.init.zeros_(self.query.bias)
        torch.nn.init.eye_(self.value.weight)

    def changed(self, states: torch.Tensor) -> torch.Tensor:
        """Return states (.., d) with the mixture of the changes."""
        changes = torch.stack([adapter.change(states) for adapter in self.adapters], dim=-2)  # (.., n, d)
        asked = torch.nn.functional.linear(self.query(states), self.key.weight.T)  # (.., d): (Q h) . (K u) = asked . u
        shares = (changes @ asked[..., None]).softmax(-2, dtype=torch.float32)  # (.., n, 1)
        return states + self.value((shares.to(changes.dtype) * changes).sum(-2))

    def distance(self) -> torch.Tensor:
        """Return the squared distance of V from the identity."""
        return (self.value.weight - torch.eye(len(self.value.weight), device=self.value.weight.device)).square().sum()


class Fusion(BehindParts):
    """An attention over adapters, which are put into a model once their states are given."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Find the parts of a model that adapters may be behind."""
        self.parts = {name: width for block in parts_of(model) for name, width in block.items()}
        super().__init__(model, {})

    def start_from(self, others: Sequence[State]) -> None:
        """Take the adapters of other trainings; KeyError or ValueError where they are not of this model.

        UserError for adapters behind different parts.
        """
        sizes = [sizes_in(state) for state in others]
        if any(one.keys() != sizes[0].keys() for one in sizes):
            raise UserError(
                "the adapters are not all behind the same parts\nhint: fuse those of one method, on several datasets"
            )
        self.hang_adapters({part: [one[part] for one in sizes] for part in sizes[0]})
        for number, state in enumerate(others):
            begin = f".{ADAPTERS}.{number}."
            put_in({name.replace(begin, "."): own for name, own in self.places().items() if begin in name}, state)

    def load(self, state: State) -> None:
        """Put in adapters and their attention."""
        sizes: dict[str, list[int]] = {}
        for place, size in sizes_in(state).items():
            sizes.setdefault(place.rpartition(f".{ADAPTERS}.")[0], []).append(size)
        self.hang_adapters(sizes)
        super().load(state)

    def hang_adapters(self, sizes: Mapping[str, Sequence[int]]) -> None:
        """Hang adapters of these inner sizes, by part, and an attention over them, behind their parts."""
        if unknown := sorted(sizes.keys() - self.parts.keys()):
            raise KeyError(f"{unknown[0]} is not in both the model and the state")
        self.hang({part: Fused(width, sizes[part]) for part, width in self.parts.items() if part in sizes})

    def begin(self, n_steps: int) -> None:
        """Refuse a training without adapters."""
        if not self.networks:
            raise UserError("kind fusion has no adapters to start from\nhint: name models of kind adapter by --of")

    def penalty(self) -> torch.Tensor:
        """Return the squared distance of all V from the identity, weighted."""
        return TO_IDENTITY * torch.stack([fused.distance() for fused in self.networks.values()]).sum()


def sizes_in(state: State) -> dict[str, int]:
    """Return the inner sizes of the adapters in a state, by the full names of their places."""
    return {name.removesuffix(SIZE): len(tensor) for name, tensor in state.items() if name.endswith(SIZE)}


def attach(model: PreTrainedModel, settings: FusionSettings) -> Fusion:
    """Prepare a model for adapters; UserError where there is no place for them."""
    return Fusion(model)
