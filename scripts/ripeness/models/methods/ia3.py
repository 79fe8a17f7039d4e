"""Train vectors that scale what layers give or read (IA3; Liu et al. 2022, arXiv 2205.05638) by peft."""

from transformers import PreTrainedModel

from ripeness.models.methods.layer_names import chosen_modules, ends_in, is_transposed, linear_modules
from ripeness.models.methods.peft_adapters import InPlace
from ripeness.runtime.errors import UserError
from ripeness.study.methods.ia3 import Ia3Settings

USUAL, USUAL_INPUTS = ("k_proj", "v_proj", "down_proj"), ("down_proj",)  # as most models call them


def attach(model: PreTrainedModel, settings: Ia3Settings) -> InPlace:
    """Put vectors of ones into a model."""
    from peft import IA3Config  # not at the top: other jobs need not load it
    from peft.tuners.ia3 import IA3Model

    linear = linear_modules(model)
    modules, inputs = settings.modules, settings.input_modules or ()
    if modules is None:
        modules, inputs = usual_places(model, list(linear))
    config = IA3Config(
        target_modules=chosen_modules(linear, modules),
        feedforward_modules=chosen_modules(linear, inputs) if inputs else [],
        fan_in_fan_out=is_transposed(linear),
    )
    return InPlace(model, lambda model: IA3Model(model, config, "default"))


def usual_places(model: PreTrainedModel, linear: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the layers of keys, values and the feed-forward part's last one, and of these the latter.

    They are what most models call so, else what peft knows of the architecture; UserError for any other.
    """
    from peft.utils.constants import (
        TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as INPUTS,  # noqa: N811 (not a constant of ours)
    )
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as MODULES  # noqa: N811

    kind = model.config.model_type
    known = [(USUAL, USUAL_INPUTS), (tuple(MODULES.get(kind, ())), tuple(INPUTS.get(kind, ())))]
    for modules, inputs in known:
        if modules and all(any(ends_in(name, one) for name in linear) for one in modules):
            return modules, inputs
    names = sorted({name.rpartition(".")[2] for name in linear})
    raise UserError(
        f"it is not known which layers of a {kind} produce keys and values; its blocks have {', '.join(names)}\n"
        "hint: name them, and the last layer of the feed-forward part, as `modules`, and the latter as `input_modules`"
    )
