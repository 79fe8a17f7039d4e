"""Train low-rank adapters (LoRA; Hu et al. 2021, arXiv 2106.09685) by peft in place of the weights.

The adapters are the tuned state. They are merged into the weights, so that measuring a model, and how far it has moved,
is the same for every kind.
"""

from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ripeness.models.methods.attached import Attached, State
from ripeness.models.sharding import n_processes
from ripeness.runtime.errors import UserError
from ripeness.study.methods.lora import LoraSettings

if TYPE_CHECKING:
    from peft.tuners.lora import LoraModel

# Types whose kernels read the weight of `out_proj` themselves; peft refuses adapters there.
FUSED = {"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"}


class Adapters(Attached):
    """Adapters in a model, whose weights are frozen meanwhile."""

    def __init__(self, model: PreTrainedModel, tuner: "LoraModel", is_trained: list[bool]) -> None:
        """Remember which weights are trained without adapters."""
        self.model, self.tuner, self.is_trained = model, tuner, is_trained

    def tensors(self) -> State:
        """Return the adapters' matrices by their names in the model, as they are."""
        return {name: weight.detach() for name, weight in self.model.named_parameters() if ".lora_" in name}

    def state(self) -> State:
        """Return a copy of the adapters' matrices."""
        return {name: weight.cpu().clone() for name, weight in self.tensors().items()}

    def load(self, state: State) -> None:
        """Put matrices in the place of those at hand."""
        places = self.tensors()
        if wrong := sorted(places.keys() ^ state.keys()):
            raise KeyError(f"{wrong[0]} is not in both the model and the state")
        for name, place in places.items():
            if (place.shape, place.dtype) != (state[name].shape, state[name].dtype):
                raise ValueError(f"{name} has shape {list(state[name].shape)}, not {list(place.shape)}")
            place.copy_(state[name])

    def merge(self) -> None:
        """Add the products of the matrices to the weights, and take the adapters out."""
        self.tuner.merge_and_unload()
        for weight, is_trained in zip(self.model.parameters(), self.is_trained, strict=True):
            weight.requires_grad_(is_trained)


def attach(model: PreTrainedModel, settings: LoraSettings) -> Adapters:
    """Put adapters into a model, which start from the random numbers at hand."""
    from peft import LoraConfig  # not at the top: no other job shall pay for it
    from peft.tuners.lora import LoraModel

    if n_processes() > 1:
        raise UserError("a model with adapters is not shared out to several GPUs\nhint: --gpus 1, or kind: full")
    linear = linear_modules(model)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=chosen_modules(linear, settings.modules),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in linear.values()),
    )
    is_trained = [weight.requires_grad for weight in model.parameters()]
    return Adapters(model, LoraModel(model, config, "default"), is_trained)  # puts adapters into the model itself


def linear_modules(model: PreTrainedModel) -> dict[str, torch.nn.Module]:
    """Return the linear layers of a model's blocks by their full names: neither embeddings nor what makes logits.

    Blocks are what the model calls so; where it says nothing, what its lists of modules hold. A layer of another class
    than torch's computes something else with its weight; what fused kernels read, adapters would be passed over by.
    """
    fused = {"out_proj"} if model.config.model_type in FUSED else set()
    names = set(model._no_split_modules or ())
    blocks = {name: block for name, block in model.named_modules() if type(block).__name__ in names}
    if not blocks:
        lists = [(name, one) for name, one in model.named_modules() if isinstance(one, torch.nn.ModuleList)]
        blocks = {f"{name}.{number}": block for name, one in lists for number, block in enumerate(one)}
    return {
        f"{name}.{inner}" if inner else name: module
        for name, block in blocks.items()
        for inner, module in block.named_modules()
        if type(module) in (torch.nn.Linear, Conv1D) and (inner or name).rpartition(".")[2] not in fused
    }


def chosen_modules(linear: dict[str, torch.nn.Module], wanted: tuple[str, ...] | None) -> list[str]:
    """Full names of the layers that get adapters; UserError for a name that no layer ends in."""
    known = sorted({name.rpartition(".")[2] for name in linear})
    if not known:
        raise UserError("the model has no linear layers in its blocks\nhint: kind: full trains all of its weights")
    if unknown := sorted(set(wanted or ()) - set(known)):
        raise UserError(
            f"modules: the model has no {', '.join(unknown)}; its blocks have {', '.join(known)}\n"
            "hint: name some of these, or leave `modules` out to take all"
        )
    return [name for name in linear if name.rpartition(".")[2] in (wanted or known)]
