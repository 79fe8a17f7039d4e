"""Train a linear layer over label words on the last state of a model, alone or with the whole model.

While it is trained the model says the layer's logits in place of its own, so that the loop of every other kind trains
it. The layer starts at zero, where all labels are equal. The tuned state is the layer, and what moves with it.
"""

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.state_outputs import Said, width_of_states
from ripeness.models.label_map import LabelMap, put_map
from ripeness.models.methods.attached import Attached, State, put_in
from ripeness.study.methods.head import HeadSettings

LAYER = "label_layer"  # the name of the layer among the modules of a model that is trained


class Head(Attached):
    """A layer behind a model, which says the layer's logits."""

    def __init__(self, model: PreTrainedModel, settings: HeadSettings) -> None:
        """Put a layer of zeros behind the model; freeze what does not move."""
        self.model, self.labels = model, settings.labels
        layer = torch.nn.utils.skip_init(torch.nn.Linear, width_of_states(model), len(settings.labels))
        for weight in layer.parameters():
            torch.nn.init.zeros_(weight)
        self.is_trained = [weight.requires_grad for weight in model.parameters()]
        if settings.moves == "head":
            model.requires_grad_(False)
        for weight in weights_of_its_own(model):
            weight.requires_grad_(False)
        self.said = Said(model, layer)
        model.add_module(LAYER, layer.to(model.device))
        self.layer = layer

    def tensors(self) -> State:
        """Return the layer, and all of the model that moves, by name."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def state(self) -> State:
        """Return a copy of what moves."""
        return {name: weight.detach().cpu().clone() for name, weight in self.tensors().items()}

    def load(self, state: State) -> None:
        """Put a state in the place of that at hand."""
        put_in(self.tensors(), state)

    def merge(self) -> None:
        """Let the model say its own logits again, and give it the layer as a map to labels next to them."""
        self.said.end()
        delattr(self.model, LAYER)
        for weight, is_trained in zip(self.model.parameters(), self.is_trained, strict=True):
            weight.requires_grad_(is_trained)
        weight, bias = (weight.detach().cpu().clone() for weight in (self.layer.weight, self.layer.bias))
        put_map(self.model, LabelMap(weight, bias, self.labels))


def weights_of_its_own(model: PreTrainedModel) -> list[torch.nn.Parameter]:
    """Return the weights of a model's output layer that nothing else has: those of embeddings are not among them."""
    others = {id(weight) for weight in model.get_input_embeddings().parameters()}
    return [weight for weight in model.get_output_embeddings().parameters() if id(weight) not in others]


def attach(model: PreTrainedModel, settings: HeadSettings) -> Head:
    """Put a layer of zeros behind a model; UserError where its last states are not found."""
    return Head(model, settings)
