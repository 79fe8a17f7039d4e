"""Find the blocks of a model and the linear layers in them, whatever the architecture calls them."""

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ripeness.runtime.errors import UserError

# Types whose kernels read the weight of `out_proj` themselves; peft refuses adapters there.
FUSED = {"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"}


def blocks_of(model: PreTrainedModel) -> dict[str, torch.nn.Module]:
    """Return a model's blocks by their full names, in their order.

    Blocks are what the model calls so; where it says nothing, what its lists of modules hold.
    """
    names = set(model._no_split_modules or ())
    blocks = {name: block for name, block in model.named_modules() if type(block).__name__ in names}
    if blocks:
        return blocks
    lists = [(name, one) for name, one in model.named_modules() if isinstance(one, torch.nn.ModuleList)]
    return {f"{name}.{number}": block for name, one in lists for number, block in enumerate(one)}


def linear_modules(model: PreTrainedModel) -> dict[str, torch.nn.Module]:
    """Return the linear layers of a model's blocks by their full names: neither embeddings nor what makes logits.

    A layer of another class than torch's computes something else with its weight; what fused kernels read, adapters
    would be passed over by.
    """
    fused = {"out_proj"} if model.config.model_type in FUSED else set()
    return {
        f"{name}.{inner}" if inner else name: module
        for name, block in blocks_of(model).items()
        for inner, module in block.named_modules()
        if type(module) in (torch.nn.Linear, Conv1D) and (inner or name).rpartition(".")[2] not in fused
    }


def chosen_modules(linear: dict[str, torch.nn.Module], wanted: tuple[str, ...] | None) -> list[str]:
    """Full names of the layers that are changed; UserError for a name that no layer ends in."""
    known = sorted({name.rpartition(".")[2] for name in linear})
    if not known:
        raise UserError("the model has no linear layers in its blocks\nhint: kind: full trains all of its weights")
    if unknown := sorted(one for one in wanted or () if not any(ends_in(name, one) for name in linear)):
        raise UserError(
            f"modules: the model has no {', '.join(unknown)}; its blocks have {', '.join(known)}\n"
            "hint: name some of these, or leave `modules` out to take all"
        )
    return [name for name in linear if any(ends_in(name, one) for one in wanted or known)]


def ends_in(name: str, end: str) -> bool:
    """Return whether the full name of a layer is, or ends in, some names (`c_proj`, or `mlp.c_proj`)."""
    return name == end or name.endswith(f".{end}")


def is_transposed(linear: dict[str, torch.nn.Module]) -> bool:
    """Return whether linear layers hold their matrices with the inputs first, as those of GPT-2 do."""
    return any(isinstance(module, Conv1D) for module in linear.values())
