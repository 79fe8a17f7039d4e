"""Define tuning by any type of adapter that peft has and that becomes part of the weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.methods.adapters import MODULES, NO_PULL
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import Kind, TrainingSettings, all_weights

# As peft 0.21.2 has them; a test walks its list.
MERGED = (
    *(
        "ADAMSS",
        "BEFT",
        "BOFT",
        "C3A",
        "DEFT",
        "DELORA",
        "FOURIERFT",
        "FROD",
        "GLORA",
        "GRALORA",
        "HIRA",
        "HRA",
        "LOHA",
        "LOKR",
    ),
    *("MISS", "OSF", "PEANUT", "PSOFT", "RANDLORA", "ROAD", "SHIRA", "SUPERTUNING", "TINYLORA"),
    *("TRAINABLE_TOKENS", "UNILORA"),
    *("VBLORA", "VERA", "WAVEFT"),
)
TOKENS = "TRAINABLE_TOKENS"  # the one type that changes embeddings
BEFORE_TEXT = "it stands before the text and becomes no part of the weights"
REFUSED = {
    "LORA": ("it has a kind of its own", "kind: lora"),
    "ADALORA": ("it has a kind of its own", "kind: adalora"),
    "IA3": ("it has a kind of its own", "kind: ia3"),
    "OFT": ("it has a kind of its own", "kind: oft"),
    "LN_TUNING": ("it has a kind of its own", "kind: freeze and norms: true"),
    "PROMPT_TUNING": ("it has a kind of its own", "kind: prompt"),
    "MULTITASK_PROMPT_TUNING": (BEFORE_TEXT, ""),
    "P_TUNING": ("it has a kind of its own", "kind: prompt and encoder: 64"),
    "PREFIX_TUNING": ("it has a kind of its own", "kind: prefix"),
    "CPT": (BEFORE_TEXT, ""),
    "CARTRIDGE": (BEFORE_TEXT, ""),
    "ADAPTION_PROMPT": (BEFORE_TEXT, ""),
    "LILY": ("peft does not merge it", ""),
    "POLY": ("it wants to know the task of each example", ""),
    "PVERA": ("it draws noise, which sequences that are read together would share", "type: VERA"),
    "SHADOW": ("it is a second model next to the first, and peft does not merge it", ""),
    "XLORA": ("it mixes adapters that are there already, by each token", ""),
}


@dataclass(frozen=True, kw_only=True)
class PeftSettings(TrainingSettings):
    """Settings of a training of adapters of one type of peft: the last names of the layers, and options of the type."""

    type: str
    modules: tuple[str, ...] | None = None
    options: dict[str, Any] | None = None
    kind: Literal["peft"] = "peft"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse types that peft does not have, or that do not merge, and several GPUs."""
    name = given["type"]
    if name in REFUSED:
        reason, other = REFUSED[name]
        raise UserError(
            f"{where}.type: {name} cannot be used: {reason}\nhint: {other or 'one of ' + ', '.join(MERGED)}"
        )
    if name not in MERGED:
        near = hint(name, list(MERGED), otherwise=f"known are {', '.join(MERGED)}")
        raise UserError(f"{where}.type: peft has no {name!r} that merges into the weights\n{near}")
    if name == TOKENS and (given.get("modules") or not (given.get("options") or {}).get("token_indices")):
        raise UserError(
            f"{where}: {TOKENS} trains rows of the embeddings, which `token_indices` names, and no `modules`\n"
            "hint: e.g. options: {token_indices: [17, 40]}"
        )
    check_one_gpu(where, given)


PEFT = Kind(
    PeftSettings,
    trains="adapters of the `type` of peft that is named, merged into the weights before measuring",
    keys={
        "type": {"description": f"Type of adapter, by its name in peft: {', '.join(MERGED)}.", "minLength": 1},
        "modules": MODULES,
        "options": {
            "description": "Settings of the type's own class in peft, by name, such as {r: 8}. Default: those of peft.",
            "minProperties": 1,
        },
    },
    example="type: HRA and options: {r: 8}",
    refused={"pull": NO_PULL},
    check=check,
    has_small_state=True,
    state_size=all_weights,
)
