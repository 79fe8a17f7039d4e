"""PPO's values: what reward a layer expects at each token, said by the model as one more logit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel


class ValueStates:
    """A layer of the states that a model's output layer reads, whose number stands after the logits of each token.

    So values are where logits are, however texts are read. While texts are drawn the model says logits alone.
    """

    def __init__(self, model: PreTrainedModel, layer: torch.nn.Module) -> None:
        """Have the model say values too; its logits stay as they are."""
        self.layer, self.states, self.is_on = layer, torch.empty(0), True
        output = model.get_output_embeddings()
        self.handles = [output.register_forward_pre_hook(self.keep), model.register_forward_hook(self.add)]

    def keep(self, _module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        """Take what the output layer reads."""
        if self.is_on:
            (self.states,) = args

    def add(self, _module: torch.nn.Module, _args: Any, output: Any) -> Any:
        """Put the value of each token after its logits, in single precision."""
        if self.is_on:
            states, self.states = self.states, torch.empty(0)
            with torch.autocast(states.device.type, enabled=False):
                output.logits = torch.cat([output.logits.float(), self.layer(states.float())], -1)
        return output

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Have the model say logits alone for a while."""
        self.is_on = False
        try:
            yield
        finally:
            self.is_on = True

    def end(self) -> None:
        """Let the model say its logits alone."""
        for handle in self.handles:
            handle.remove()
