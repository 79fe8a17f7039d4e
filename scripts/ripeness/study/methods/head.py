"""Define tuning of a linear layer over label words on the last state of a model, alone or with the whole model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.study.methods.linear_map import NO_PULL, NO_START, map_size
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import ANSWERS, Kind, Labelled, TrainingSettings


@dataclass(frozen=True, kw_only=True)
class HeadSettings(Labelled, TrainingSettings):
    """Settings of a training of a layer over label words: whether it moves alone, or all of the model with it."""

    moves: Literal["head", "all"]
    kind: Literal["head"] = "head"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse several GPUs."""
    check_one_gpu(where, given, "a model with a layer over label words")


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in the layer and in what moves with it."""
    return map_size(given, n_parameters) + (n_parameters if given["moves"] == "all" else 0)


HEAD = Kind(
    HeadSettings,
    trains="a linear layer over label words on the last state before the answer, and the model or nothing of it",
    keys={
        "moves": {
            "description": (
                "What is trained. head: a layer over label words alone; all: that layer and all weights of the "
                "model, except weights that only its own output layer has."
            )
        }
    },
    example="moves: head, or moves: all",
    refused={
        "pull": NO_PULL,
        "replay": "`replay` reads text by the model's output layer, in whose place kind head has a layer over labels\n"
        "hint: take out `replay`, or kind: full",
    },
    check=check,
    has_small_state=True,
    state_size=state_size,
    no_start=NO_START,
    learns=(ANSWERS,),
    leaves_model=lambda given: given["moves"] == "head",
)
