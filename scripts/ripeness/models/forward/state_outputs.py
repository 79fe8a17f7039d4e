"""A model that says what some layer makes of its last states, those that its output layer reads, in place of logits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.packing import SEQUENCES, as_it_is_read, ways_to_pack
from ripeness.runtime.errors import UserError

Layer = Callable[[torch.Tensor], torch.Tensor]


class Said:
    """A layer of states in place of a model's logits, whatever the model does to its own (caps, scales); until `end`.

    Ways to pack are tried before: behind another layer, such as one that is zero, a leak might not show.
    """

    def __init__(self, model: PreTrainedModel, layer: Layer) -> None:
        """Have the model say what the layer makes of its last states; UserError where it has no output layer."""
        ways_to_pack(model)
        self.layer, self.states = layer, torch.empty(0)
        self.handles = [model.register_forward_hook(self.replace)]
        if (output := model.get_output_embeddings()) is not None:
            self.handles.append(output.register_forward_pre_hook(self.keep))

    def keep(self, _module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        """Take what the output layer reads."""
        (self.states,) = args

    def replace(self, _module: torch.nn.Module, _args: Any, output: Any) -> Any:
        """Put what the layer makes of it in place of the logits, in single precision."""
        states, self.states = self.states, torch.empty(0)
        with torch.autocast(states.device.type, enabled=False):
            output.logits = self.layer(states.float())
        return output

    def end(self) -> None:
        """Let the model say its logits again."""
        for handle in self.handles:
            handle.remove()


@contextmanager
def saying(model: PreTrainedModel, layer: Layer) -> Iterator[None]:
    """Have a model give what a layer makes of its last states in place of logits, for a while."""
    said = Said(model, layer)
    try:
        yield
    finally:
        said.end()


@torch.no_grad()
def width_of_states(model: PreTrainedModel) -> int:
    """Return the width of a model's last states; UserError where they are not found."""
    tokens = torch.tensor([SEQUENCES[0]], device=model.device)
    with as_it_is_read(model), saying(model, lambda states: states):
        found = model(input_ids=tokens, use_cache=False).logits
    if found.ndim != 3 or found.shape[:2] != tokens.shape:
        raise UserError(
            f"the states that the output layer of {type(model).__name__} reads are not found\n"
            "hint: kind: full or lora, which need no layer of their own"
        )
    return int(found.shape[2])
