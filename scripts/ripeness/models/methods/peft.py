"""Train adapters of any type of peft whose model merges, with the options of its own class.

The state is all that peft has put into the model, random matrices and places too, so that no number depends on what
another version of a library draws from a seed.
"""

import copy
from dataclasses import fields
from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.models.methods.attached import State
from ripeness.models.methods.layer_names import chosen_modules, is_transposed, linear_modules
from ripeness.models.methods.peft_adapters import InPlace
from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.methods.peft import TOKENS, PeftSettings

# options that are set here, or that want more of a training than its steps
OURS = {"target_modules", "modules_to_save", "fan_in_fan_out", "use_asa"}


class AnyInPlace(InPlace):
    """Adapters of a type of peft."""

    def tensors(self) -> State:
        """Return what the adapters consist of, with what peft itself would not save; what they share once."""
        found, seen = {}, set(self.known)
        for name, tensor in (*self.model.named_parameters(), *self.model.named_buffers()):
            if id(tensor) not in seen:
                found[name] = tensor.detach()
            seen.add(id(tensor))
        return found


def attach(model: PreTrainedModel, settings: PeftSettings) -> AnyInPlace:
    """Put adapters into a model; UserError for options that the type does not have, or that it cannot be with."""
    from peft import PeftType  # not at the top: other jobs need not load it
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING

    known, linear = PeftType(settings.type), linear_modules(model)
    chosen = embeddings(model) if settings.type == TOKENS else chosen_modules(linear, settings.modules)
    config, tuner = PEFT_TYPE_TO_CONFIG_MAPPING[known], PEFT_TYPE_TO_TUNER_MAPPING[known]
    options = checked_options(config, settings) | {"target_modules": chosen}
    if is_transposed(linear) and "fan_in_fan_out" in {field.name for field in fields(config)}:
        options["fan_in_fan_out"] = True

    def make(model: PreTrainedModel) -> Any:
        made = tuner(model, config(**options), "default")
        check_merges(made)
        return made

    with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        attached = AnyInPlace(model, make)
    if any(id(weight) in attached.known for weight in model.parameters() if weight.requires_grad):
        raise UserError(
            f"options of {settings.type} train weights of the model itself\nhint: kind: freeze or kind: full"
        )
    return attached


def embeddings(model: PreTrainedModel) -> list[str]:
    """Return the full name of the embeddings of a model."""
    return [name for name, module in model.named_modules() if module is model.get_input_embeddings()]


def checked_options(config: type, settings: PeftSettings) -> dict[str, Any]:
    """Return the options; UserError for one that the class does not have."""
    from peft import PeftConfig

    general = {field.name for field in fields(PeftConfig)}
    names = sorted({field.name for field in fields(config)} - general - OURS)
    if unknown := sorted((settings.options or {}).keys() - set(names)):
        near = hint(unknown[0], names, otherwise=f"known are {', '.join(names)}")
        raise UserError(f"options: {settings.type} has no {', '.join(map(repr, unknown))}\n{near}")
    return dict(settings.options or {})


def check_merges(tuner: Any) -> None:
    """Merge a copy of one layer of each name, so that what cannot be merged is refused before it is trained."""
    layers = {name.rpartition(".")[2]: one for name, one in tuner.model.named_modules() if hasattr(one, "base_layer")}
    for layer in layers.values():
        copy.deepcopy(layer).merge()
