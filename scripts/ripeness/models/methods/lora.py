"""Train low-rank adapters (LoRA; Hu et al. 2021, arXiv 2106.09685) by peft in place of the weights.

The adapters are the tuned state. They are merged into the weights, so that measuring a model, and how far it has moved,
is the same for every kind.
"""

from transformers import PreTrainedModel

from ripeness.models.methods.in_place import InPlace
from ripeness.models.methods.places import chosen_modules, is_transposed, linear_modules
from ripeness.study.methods.lora import LoraSettings


def attach(model: PreTrainedModel, settings: LoraSettings) -> InPlace:
    """Put adapters into a model, which start from the random numbers at hand."""
    from peft import LoraConfig  # not at the top: no other job shall pay for it
    from peft.tuners.lora import LoraModel

    linear = linear_modules(model)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=chosen_modules(linear, settings.modules),
        fan_in_fan_out=is_transposed(linear),
    )
    return InPlace(model, lambda model: LoraModel(model, config, "default"))
