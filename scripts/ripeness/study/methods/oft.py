"""Define tuning by rotations of what linear layers read (OFT; Qiu et al. 2023, arXiv 2306.07280)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.study.methods.adapters import MODULES, NO_PULL
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import Kind, TrainingSettings
from ripeness.study.methods.sizes import width_of


@dataclass(frozen=True, kw_only=True)
class OftSettings(TrainingSettings):
    """Settings of a training of rotations: the size of their blocks, and the last names of the layers that have one."""

    block_size: int
    modules: tuple[str, ...] | None = None
    kind: Literal["oft"] = "oft"


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in the rotations: (b - 1) / 2 for each input of a layer, of which each has a wide row."""
    return round(n_parameters * min(1.0, given["block_size"] / max(1.0, width_of(n_parameters))))


OFT = Kind(
    OftSettings,
    trains="rotations of the inputs of linear layers, block by block (OFT, by peft), merged into the weights",
    keys={
        "block_size": {
            "description": "Size of the blocks of a rotation; it divides the number of inputs of each layer.",
            "minimum": 2,
            "maximum": 10000,
        },
        "modules": MODULES,
    },
    example="block_size: 8",
    refused={"pull": NO_PULL},
    check=check_one_gpu,
    has_small_state=True,
    state_size=state_size,
)
