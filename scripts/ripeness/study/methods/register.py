"""List the kinds of tuning by name."""

from ripeness.study.methods.adalora import ADALORA
from ripeness.study.methods.adapter import ADAPTER
from ripeness.study.methods.features import FEATURES
from ripeness.study.methods.freeze import FREEZE
from ripeness.study.methods.full import FULL
from ripeness.study.methods.fusion import FUSION
from ripeness.study.methods.head import HEAD
from ripeness.study.methods.ia3 import IA3
from ripeness.study.methods.lora import LORA
from ripeness.study.methods.oft import OFT
from ripeness.study.methods.peft import PEFT
from ripeness.study.methods.prefix import PREFIX
from ripeness.study.methods.projector import PROJECTOR
from ripeness.study.methods.prompt import PROMPT
from ripeness.study.methods.settings import Kind

# The rules take the digest of the code of a cell's own kind, so that another kind reruns nothing.
NEUTRAL = True

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        FULL,
        LORA,
        FREEZE,
        ADALORA,
        IA3,
        OFT,
        PEFT,
        ADAPTER,
        FUSION,
        FEATURES,
        HEAD,
        PREFIX,
        PROMPT,
        PROJECTOR,
    )
}
