"""Train keys and values that stand before those of every text in every layer (Li and Liang 2021, arXiv 2101.00190).

They come after the rotation by position where a model has one, as in peft. With an encoder they are computed from
embeddings by two linear layers with a tanh between, which Li and Liang leave away after the training.
"""

from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from ripeness.models.forward.kv_cache import KeysAndValues
from ripeness.models.forward.packed_attention import attending
from ripeness.models.forward.shared_prefix import keys_and_values
from ripeness.models.forward.virtual_tokens import VirtualTokens
from ripeness.models.methods.virtual_tokens import BeforeText, check_model
from ripeness.study.methods.prefix import PrefixSettings

Shapes = list[tuple[int, int, int]]  # (layer, heads, size of a head), of keys and values of each layer in turn


class KeysBeforeText(VirtualTokens):
    """Virtual tokens that are keys and values: numbers (n, D), of each layer the keys of all heads and the values."""

    def __init__(self, learned: torch.Tensor, shapes: Shapes, encoder: torch.nn.Module | None = None) -> None:
        """Take the values that they start with, and what these are."""
        super().__init__(learned, encoder)
        self.shapes = shapes

    def keys_and_values(self, model: PreTrainedModel) -> KeysAndValues:
        """Return keys and values, (1, H, n, D) each, by layer."""
        parts = self.numbers().split([heads * size for _, heads, size in self.shapes], dim=1)
        states = [
            part.view(self.n_tokens, heads, size).transpose(0, 1)[None]
            for part, (_, heads, size) in zip(parts, self.shapes, strict=True)
        ]
        layers = [layer for layer, _, _ in self.shapes[::2]]
        return dict(zip(layers, zip(states[::2], states[1::2], strict=True), strict=True))

    def begin(self, model: PreTrainedModel, given: dict[str, Any]) -> dict[str, Any]:
        """Put them into the cache that the texts are read with."""
        past = given.get("past_key_values")
        past = DynamicCache() if past is None else past
        for layer, states in self.keys_and_values(model).items():
            past.update(*(one.expand(len(given["input_ids"]), -1, -1, -1) for one in states), layer)
        return given | {"past_key_values": past}


def attach(model: PreTrainedModel, settings: PrefixSettings) -> BeforeText:
    """Put keys and values before every text; UserError for a model that does not pack, or has no room for them."""
    check_model(model, settings.kind, settings.tokens)
    drawn = torch.randint(model.get_input_embeddings().num_embeddings, (settings.tokens,)).tolist()
    with attending(model):
        known = keys_and_values(model, drawn) or {}
    states = [(layer, one) for layer in sorted(known) for one in known[layer]]  # (1, H, n, D) each
    shapes = [(layer, one.shape[1], one.shape[3]) for layer, one in states]
    if settings.encoder:
        width = shapes[0][1] * shapes[0][2]
        encoder = torch.nn.Sequential(
            torch.nn.Linear(width, settings.encoder),
            torch.nn.Tanh(),
            torch.nn.Linear(settings.encoder, sum(heads * size for _, heads, size in shapes)),
        )
        virtual = KeysBeforeText(torch.randn(settings.tokens, width), shapes, encoder)
    elif settings.initial == "normal":
        n_numbers = sum(heads * size for _, heads, size in shapes)
        virtual = KeysBeforeText(torch.randn(settings.tokens, n_numbers), shapes)
    else:
        virtual = KeysBeforeText(torch.cat([one[0].transpose(0, 1).flatten(1) for _, one in states], dim=1), shapes)
    return BeforeText(model, settings.kind, virtual)
