"""Train rotations of what linear layers read (OFT; Qiu et al. 2023, arXiv 2306.07280) by peft.

A rotation is the Cayley transform of a skew-symmetric matrix, solved and not approached by a series as peft does
otherwise, so that it stays a rotation however far it goes.
"""

from transformers import PreTrainedModel

from ripeness.models.methods.layer_names import chosen_modules, linear_modules
from ripeness.models.methods.peft_adapters import InPlace
from ripeness.runtime.errors import UserError
from ripeness.study.methods.oft import OftSettings


def attach(model: PreTrainedModel, settings: OftSettings) -> InPlace:
    """Put rotations by nothing into a model; UserError where their blocks do not divide the inputs of a layer."""
    from peft import OFTConfig  # not at the top: other jobs need not load it
    from peft.tuners.oft import OFTModel

    linear = linear_modules(model)
    chosen = chosen_modules(linear, settings.modules)
    sizes = {name: linear[name].weight.shape[1] for name in chosen}
    if odd := [name for name in chosen if sizes[name] % settings.block_size]:
        raise UserError(
            f"block_size: {settings.block_size} does not divide the {sizes[odd[0]]} inputs of {odd[0]}\n"
            "hint: a divisor such as 8 or 32, or only the layers that it divides as `modules`"
        )
    config = OFTConfig(r=0, oft_block_size=settings.block_size, use_cayley_neumann=False, target_modules=chosen)
    return InPlace(model, lambda model: OFTModel(model, config, "default"))
