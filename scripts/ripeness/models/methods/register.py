"""List what each kind of tuning does to a model, by the class of its settings."""

from collections.abc import Callable

from transformers import PreTrainedModel

from ripeness.models.methods import (
    adalora,
    adapter,
    features,
    freeze,
    full,
    fusion,
    head,
    ia3,
    lora,
    oft,
    peft,
    prefix,
    projector,
    prompt,
)
from ripeness.models.methods.attached import Attached
from ripeness.study.methods.adalora import AdaloraSettings
from ripeness.study.methods.adapter import AdapterSettings
from ripeness.study.methods.features import FeaturesSettings
from ripeness.study.methods.freeze import FreezeSettings
from ripeness.study.methods.full import FullSettings
from ripeness.study.methods.fusion import FusionSettings
from ripeness.study.methods.head import HeadSettings
from ripeness.study.methods.ia3 import Ia3Settings
from ripeness.study.methods.lora import LoraSettings
from ripeness.study.methods.oft import OftSettings
from ripeness.study.methods.peft import PeftSettings
from ripeness.study.methods.prefix import PrefixSettings
from ripeness.study.methods.projector import ProjectorSettings
from ripeness.study.methods.prompt import PromptSettings
from ripeness.study.methods.settings import MethodSettings

# The rules take the digest of the code of a cell's own kind, so that another kind reruns nothing.
NEUTRAL = True

ATTACH: dict[type[MethodSettings], Callable[..., Attached]] = {
    FullSettings: full.attach,
    LoraSettings: lora.attach,
    FreezeSettings: freeze.attach,
    AdaloraSettings: adalora.attach,
    Ia3Settings: ia3.attach,
    OftSettings: oft.attach,
    PeftSettings: peft.attach,
    AdapterSettings: adapter.attach,
    FusionSettings: fusion.attach,
    FeaturesSettings: features.attach,
    HeadSettings: head.attach,
    PrefixSettings: prefix.attach,
    PromptSettings: prompt.attach,
    ProjectorSettings: projector.attach,
}


def attach(model: PreTrainedModel, settings: MethodSettings) -> Attached:
    """Put what a kind trains into a model; what is not trained is frozen until `merge`."""
    return ATTACH[type(settings)](model, settings)
