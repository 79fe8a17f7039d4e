"""Define tuning of some parts of a model: its last blocks, norms, biases or output layer; all else is frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import Kind, TrainingSettings

PARTS = ("blocks", "norms", "biases", "output_layer")
VECTOR_SHARE = 0.05  # of a model's numbers; norms and biases are at most 15 d of the 12 d^2 in a block of width d


@dataclass(frozen=True, kw_only=True)
class FreezeSettings(TrainingSettings):
    """Settings of a training of some parts of a model; None is a part that stays."""

    blocks: int | None = None
    norms: bool | None = None
    biases: bool | None = None
    output_layer: bool | None = None
    kind: Literal["freeze"] = "freeze"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse settings by which nothing moves, or a model on several GPUs."""
    if not any(given.get(part) for part in PARTS):
        raise UserError(
            f"{where}: kind freeze leaves nothing to train\n"
            f"hint: one or more of {', '.join(PARTS)}, e.g. blocks: 2, or norms: true and biases: true"
        )
    check_one_gpu(where, given, "a model that is partly frozen")


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers that move, on the safe side: blocks and output layer may be nearly all of a small model."""
    is_large = given.get("blocks") or given.get("output_layer")
    return n_parameters if is_large else round(VECTOR_SHARE * n_parameters)


FREEZE = Kind(
    FreezeSettings,
    trains="the parts that are named (last blocks, norms, biases, output layer); the other weights are frozen",
    keys={
        "blocks": {"description": "How many of the last blocks are trained.", "minimum": 1, "maximum": 10000},
        "norms": {"description": "Whether all weights and biases of norms are trained."},
        "biases": {"description": "Whether all biases are trained (BitFit)."},
        "output_layer": {"description": "Whether the output layer is trained; it must not be tied to the embeddings."},
    },
    example="blocks: 2, or norms: true and biases: true",
    refused={
        "pull": "`pull` holds all weights near those of the checkpoint, but kind freeze leaves most as they are\n"
        "hint: take out `pull`, or kind: full"
    },
    check=check,
    has_small_state=True,
    state_size=state_size,
)
