"""Define tuning by low-rank adapters of linear layers (LoRA; Hu et al. 2021, arXiv 2106.09685)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.settings import Kind, TrainingSettings

DEPTH_TO_WIDTH = 128  # a model of width d has some d / 128 blocks; smaller models have more of them


@dataclass(frozen=True, kw_only=True)
class LoraSettings(TrainingSettings):
    """Settings of a training of adapters: their rank, alpha, and the last names of the layers that have one."""

    rank: int
    alpha: float
    modules: tuple[str, ...] | None = None
    kind: Literal["lora"] = "lora"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse to share a model with adapters out to several GPUs."""
    if given.get("gpu", 1) > 1:
        raise UserError(
            f"{where}: a model with adapters is not shared out to {given['gpu']} GPUs\nhint: gpu: 1, or kind: full"
        )


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in the adapters of all linear layers, on the safe side.

    A matrix of d x k numbers has r (d + k) in its adapter, at most 2 r / d of them for the smaller side d. The width
    follows from 12 d^2 parameters in a block.
    """
    width = (DEPTH_TO_WIDTH * n_parameters / 12) ** (1 / 3)
    return round(n_parameters * min(1.0, 2 * 2 * given["rank"] / max(1.0, width)))


LORA = Kind(
    LoraSettings,
    trains="low-rank adapters of the linear layers (LoRA, by peft), merged into the weights before measuring",
    keys={
        "rank": {"description": "Rank of the adapters.", "minimum": 1, "maximum": 10000},
        "alpha": {
            "description": "Scale of the adapters: the product of their two matrices is multiplied by alpha / rank.",
            "exclusiveMinimum": 0,
            "maximum": 100000,
        },
        "modules": {
            "description": (
                "Last names of the layers that get adapters, such as q_proj. Default: all linear layers of the blocks."
            ),
            "items": {"type": "string", "minLength": 1},
            "uniqueItems": True,
            "minItems": 1,
        },
    },
    example="rank: 8 and alpha: 16; the product of the adapters is multiplied by alpha / rank",
    refused={
        "pull": "`pull` holds weights near those of the checkpoint, but kind lora leaves these as they are\n"
        "hint: take out `pull`, or kind: full; a smaller `rank` or `alpha` also keeps a model near its start"
    },
    check=check,
    has_small_state=True,
    state_size=state_size,
)
