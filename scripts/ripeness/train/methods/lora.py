"""Low-rank adapters (LoRA; Hu et al. 2021, arXiv 2106.09685) by peft: trained in the weights' place, then merged.

What is saved is a model like any other, so that measuring it, and how far it has moved, is the same for every method.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ripeness.models.sharding import n_processes
from ripeness.runtime.errors import UserError
from ripeness.study.methods import TrainingSettings

# Types whose kernels read the weight of `out_proj` themselves; peft refuses adapters there.
FUSED = {"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"}


@contextmanager
def adapted(model: PreTrainedModel, settings: TrainingSettings) -> Iterator[None]:
    """For kind lora, let a model learn by adapters for a while, which are merged into its weights at the end.

    The weights themselves are frozen meanwhile. Adapters start from the random numbers at hand.
    """
    if settings.kind != "lora":
        yield
        return
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
    trained = [weight.requires_grad for weight in model.parameters()]
    tuner = LoraModel(model, config, "default")  # puts adapters into the model itself
    yield
    tuner.merge_and_unload()
    for weight, is_trained in zip(model.parameters(), trained, strict=True):
        weight.requires_grad_(is_trained)


def linear_modules(model: PreTrainedModel) -> dict[str, torch.nn.Module]:
    """The linear layers of a model's blocks by their full names: neither embeddings nor what makes logits.

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
