"""Train low-rank adapters (LoRA; Hu et al. 2021, arXiv 2106.09685) by peft in place of the weights.

Variants: DoRA (Liu et al. 2024, arXiv 2402.09353), rsLoRA (Kalajdzievski 2023, arXiv 2312.03732), PiSSA (Meng et al.
2024, arXiv 2404.02948) and OLoRA (Büyükakyüz 2024, arXiv 2406.01775). The last two take what their adapters start at
out of the weights; `attach` does so again when a state is loaded. With `quantised` all linear layers of the blocks are
rounded before adapters are put in (QLoRA; Dettmers et al. 2023, arXiv 2305.14314), and the merge is into these values.
"""

from typing import Any

from transformers import PreTrainedModel

from ripeness.models.methods.layer_names import chosen_modules, is_transposed, linear_modules
from ripeness.models.methods.nf4 import round_weights
from ripeness.models.methods.peft_adapters import InPlace
from ripeness.runtime.errors import UserError
from ripeness.study.methods.lora import LoraSettings

VARIANTS: dict[str | None, dict[str, Any]] = {
    None: {},
    "dora": {"use_dora": True},
    "rslora": {"use_rslora": True},
    "pissa": {"init_lora_weights": "pissa"},
    "olora": {"init_lora_weights": "olora"},
}


def attach(model: PreTrainedModel, settings: LoraSettings) -> InPlace:
    """Put adapters into a model, which start from the random numbers at hand."""
    from peft import LoraConfig  # not at the top: other jobs need not load it
    from peft.tuners.lora import LoraModel

    linear = linear_modules(model)
    if settings.variant == "olora" and is_transposed(linear):  # peft would decompose the transposed matrices
        raise UserError("variant: olora is not for a model with layers as GPT-2 has them\nhint: variant: pissa")
    chosen = chosen_modules(linear, settings.modules)
    if settings.quantised:
        round_weights(linear.values())
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=chosen,
        fan_in_fan_out=is_transposed(linear),
        **VARIANTS[settings.variant],
    )
    return InPlace(model, lambda model: LoraModel(model, config, "default"))
