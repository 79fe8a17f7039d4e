"""Train bottleneck adapters behind attention and feed-forward parts (Houlsby et al. 2019, arXiv 1902.00751).

h becomes h + up(gelu(down(h))). Behind feed-forward parts alone they are those of Pfeiffer et al. 2021 (arXiv
2005.00247). `up` is zero at the start, so that the model says what it said. Without adapters in the first n blocks
(AdapterDrop; Rücklé et al. 2021, arXiv 2010.11918) these need no backward pass. With `robust`, at each step as many of
the first blocks are without theirs as is drawn from 0 to n.
"""

import hashlib

import torch
from torch.nn.functional import gelu
from transformers import PreTrainedModel

from ripeness.models.methods.hooked_networks import Behind, BehindParts, parts_of
from ripeness.runtime.errors import UserError
from ripeness.study.methods.adapter import AdapterSettings


class Bottleneck(Behind):
    """An adapter behind a part of a block; it may be switched off for a while."""

    def __init__(self, width: int, size: int) -> None:
        """Start from the random numbers at hand, as one that changes nothing."""
        super().__init__()
        self.down, self.up, self.is_on = torch.nn.Linear(width, size), torch.nn.Linear(size, width), True
        torch.nn.init.zeros_(self.up.weight)
        torch.nn.init.zeros_(self.up.bias)

    def change(self, states: torch.Tensor) -> torch.Tensor:
        """Return what is added to states (.., d)."""
        return self.up(gelu(self.down(states)))

    def changed(self, states: torch.Tensor) -> torch.Tensor:
        """Return states (.., d) with the change."""
        return states + self.change(states) if self.is_on else states


class RobustAdapters(BehindParts):
    """Adapters of which those of the first blocks are off in some steps, as many as a seeded generator draws."""

    def __init__(self, model: PreTrainedModel, blocks: list[dict[str, Bottleneck]], settings: AdapterSettings) -> None:
        """Put adapters, by block, into a model."""
        super().__init__(model, {name: one for block in blocks for name, one in block.items()})
        self.blocks, self.settings, self.n_off = blocks, settings, [0]

    def begin(self, n_steps: int) -> None:
        """Draw how many blocks are without adapters in each step."""
        digest = hashlib.sha256(f"{self.settings.seed} robust".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))
        self.n_off = torch.randint((self.settings.drop or 0) + 1, (n_steps,), generator=generator).tolist()

    def before_step(self, step: int) -> None:
        """Switch off what is off in this step, and all else on."""
        self.switch(self.n_off[step])

    def merge(self) -> None:
        """Leave all adapters on."""
        self.switch(0)
        super().merge()

    def switch(self, n_off: int) -> None:
        """Switch the adapters of the first `n_off` blocks off, all other ones on."""
        for number, block in enumerate(self.blocks):
            for adapter in block.values():
                adapter.is_on = number >= n_off


def attach(model: PreTrainedModel, settings: AdapterSettings) -> BehindParts:
    """Put adapters into a model; UserError where there is no place for them, or where all blocks were without."""
    parts, first = parts_of(model), settings.drop or 0
    if first >= len(parts):
        raise UserError(
            f"drop: {first} leaves none of the {len(parts)} blocks of the model with adapters\n"
            f"hint: at most drop: {len(parts) - 1}"
        )
    kept = slice(1, None) if settings.places == "feed-forward" else slice(None)
    blocks = [
        {name: Bottleneck(width, settings.size) for name, width in list(widths.items())[kept]}
        for widths in (parts if settings.robust else parts[first:])
    ]
    if settings.robust:
        return RobustAdapters(model, blocks, settings)
    return BehindParts(model, {name: adapter for block in blocks for name, adapter in block.items()})
