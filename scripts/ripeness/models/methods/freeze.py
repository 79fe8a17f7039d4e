"""Train some parts of a model, whose other weights are frozen meanwhile.

Biases alone are BitFit (Ben Zaken et al. 2021, arXiv 2106.10199), norms alone LN-tuning. The tuned state is the weights
that move.
"""

from collections.abc import Iterator

import torch
from transformers import PreTrainedModel

from ripeness.models.methods.attached import Attached, State, put_in
from ripeness.models.methods.layer_names import blocks_of
from ripeness.runtime.errors import UserError
from ripeness.study.methods.freeze import FreezeSettings


class Frozen(Attached):
    """A model of which only some weights are trained."""

    def __init__(self, model: PreTrainedModel, moving: State) -> None:
        """Freeze all weights but those that move, and remember which were trained before."""
        self.model, self.moving = model, moving
        self.is_trained = [weight.requires_grad for weight in model.parameters()]
        model.requires_grad_(False)
        for weight in moving.values():
            weight.requires_grad_(True)

    def state(self) -> State:
        """Return a copy of the weights that move."""
        return {name: weight.detach().cpu().clone() for name, weight in self.moving.items()}

    def load(self, state: State) -> None:
        """Put weights in the place of those at hand."""
        put_in(self.moving, state)

    def merge(self) -> None:
        """Let the other weights be trained again."""
        for weight, is_trained in zip(self.model.parameters(), self.is_trained, strict=True):
            weight.requires_grad_(is_trained)


def attach(model: PreTrainedModel, settings: FreezeSettings) -> Frozen:
    """Freeze all weights of a model but those of the parts that are named."""
    wanted = {id(weight) for weight in moving_weights(model, settings)}
    return Frozen(model, {name: weight for name, weight in model.named_parameters() if id(weight) in wanted})


def moving_weights(model: PreTrainedModel, settings: FreezeSettings) -> Iterator[torch.nn.Parameter]:
    """Yield the weights of the parts that are named; UserError for a part that the model does not have."""
    if settings.blocks:
        yield from last_blocks(model, settings.blocks)
    if settings.norms:
        norms = [module for module in model.modules() if "norm" in type(module).__name__.lower()]
        yield from some([weight for norm in norms for weight in norm.parameters()], "norms")
    if settings.biases:
        named = model.named_parameters()
        yield from some([weight for name, weight in named if name.rpartition(".")[2].endswith("bias")], "biases")
    if settings.output_layer:
        yield from output_layer(model).parameters()


def some(weights: list[torch.nn.Parameter], what: str) -> list[torch.nn.Parameter]:
    """Return weights; UserError where there are none."""
    if not weights:
        raise UserError(f"{what}: the model has no {what} with weights\nhint: name other parts, e.g. blocks: 1")
    return weights


def last_blocks(model: PreTrainedModel, number: int) -> Iterator[torch.nn.Parameter]:
    """Yield the weights of the last blocks of a model; UserError where it has fewer."""
    blocks = list(blocks_of(model).values())
    if number > len(blocks):
        raise UserError(
            f"blocks: {number} is more than the {len(blocks)} blocks of the model\n"
            f"hint: at most blocks: {len(blocks)}, or kind: full"
        )
    for block in blocks[-number:]:
        yield from block.parameters()


def output_layer(model: PreTrainedModel) -> torch.nn.Module:
    """Return the layer that makes logits; UserError where its weights are those of the embeddings too."""
    layer, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    if layer is None or layer.weight is embeddings.weight:
        raise UserError(
            "output_layer: the weights of the model's output layer are those of its embeddings too\n"
            "hint: name other parts, e.g. blocks: 1, or kind: full"
        )
    return layer
