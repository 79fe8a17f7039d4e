"""Virtual tokens: what tuning has put before every text that a model reads, and never writes.

In a packed row they are keys and values of every layer that stand before all of its sequences, as those of a beginning
that all share. Where transformers reads a text by itself, a hook puts them before it. Either way the positions of the
text begin after them, as in peft, so a model has room for fewer tokens of text.
"""

from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.models.context_limits import VIRTUAL
from ripeness.models.forward.kv_cache import KeysAndValues
from ripeness.models.forward.trials import forget_trials


class VirtualTokens(torch.nn.Module):
    """What stands before every text: numbers (n, D) that are learned, perhaps through an encoder until `fold`."""

    def __init__(self, learned: torch.Tensor, encoder: torch.nn.Module | None = None) -> None:
        """Take the values that they start with."""
        super().__init__()
        self.learned, self.encoder = torch.nn.Parameter(learned), encoder
        self.n_tokens = len(learned)

    def numbers(self) -> torch.Tensor:
        """Return the numbers (n, D) as the model reads them."""
        return self.learned if self.encoder is None else self.encoder(self.learned)

    @torch.no_grad()
    def values(self) -> torch.Tensor:
        """Return a copy of the numbers; an encoder may round otherwise where gradients are wanted."""
        return self.numbers().clone()

    def fold(self, numbers: torch.Tensor | None = None) -> None:
        """Put these numbers, or those at hand, in the place of what is trained; they are no weights of the model."""
        found = self.values() if numbers is None else numbers
        del self.learned
        self.encoder = None
        self.register_buffer("learned", found, persistent=False)

    def keys_and_values(self, model: PreTrainedModel) -> KeysAndValues:
        """Return their keys and values in every layer; the model must be `packing`."""
        raise NotImplementedError

    def begin(self, model: PreTrainedModel, given: dict[str, Any]) -> dict[str, Any]:
        """Put them before the first tokens of texts (B, T); arguments of the model are given and returned."""
        raise NotImplementedError

    def read_with(self, model: PreTrainedModel, given: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with which a model reads texts (B, T), or their next tokens, after them."""
        past, mask = given.get("past_key_values"), given.get("attention_mask")
        if given.get("position_ids") is not None:
            given = given | {"position_ids": given["position_ids"] + self.n_tokens}
        if mask is not None:
            given = given | {"attention_mask": torch.cat([mask.new_ones(len(mask), self.n_tokens), mask], dim=1)}
        return self.begin(model, given) if past is None or not past.get_seq_length() else given


def virtual_of(model: PreTrainedModel) -> VirtualTokens | None:
    """Return the virtual tokens of a model, if it has any."""
    return getattr(model, VIRTUAL, None)


def virtual_keys(model: PreTrainedModel) -> KeysAndValues | None:
    """Return the keys and values of the virtual tokens of a model in the precision that it reads in, if it has any."""
    virtual, kind = virtual_of(model), model.device.type
    if virtual is None:
        return None
    found = virtual.keys_and_values(model)
    if not torch.is_autocast_enabled(kind):
        return found
    dtype = torch.get_autocast_dtype(kind)
    return {layer: (keys.to(dtype), values.to(dtype)) for layer, (keys, values) in found.items()}


def after_virtual(virtual: KeysAndValues | None, others: KeysAndValues) -> KeysAndValues:
    """Join keys and values of virtual tokens, if there are any, and those of tokens after them."""
    if virtual is None:
        return others
    joined = {layer: zip(virtual[layer], others[layer], strict=True) for layer in others}
    return {
        layer: (torch.cat([keys.to(more.dtype), more], dim=2), torch.cat([values.to(most.dtype), most], dim=2))
        for layer, ((keys, more), (values, most)) in joined.items()
    }


def put_before(model: PreTrainedModel, virtual: VirtualTokens) -> Callable[[], None]:
    """Put virtual tokens before every text that a model reads from now on; return what takes them away again."""
    model.add_module(VIRTUAL, virtual.to(model.device))
    hooks = [
        model.register_forward_pre_hook(read_after_them, with_kwargs=True),
        model.register_forward_hook(leave_them_out, with_kwargs=True),
    ]
    forget_trials()

    def take_away() -> None:
        for hook in hooks:
            hook.remove()
        delattr(model, VIRTUAL)
        forget_trials()

    return take_away


def read_after_them(
    model: PreTrainedModel, args: tuple[Any, ...], given: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Have a text that transformers reads by itself begin after the virtual tokens (as a model's pre-hook)."""
    virtual = virtual_of(model)
    if virtual is None or "groups" in given:  # of a packed row
        return None
    if args:
        (tokens,) = args
        given = given | {"input_ids": tokens}
    return (), virtual.read_with(model, given)


def leave_them_out(model: PreTrainedModel, args: tuple[Any, ...], given: dict[str, Any], output: Any) -> None:
    """Leave the logits of virtual tokens out where they were read as embeddings (as a model's hook)."""
    virtual = virtual_of(model)
    if virtual is not None and "groups" not in given and given.get("inputs_embeds") is not None:
        n_text = given["inputs_embeds"].shape[1] - virtual.n_tokens
        output.logits = output.logits[:, -n_text:]
