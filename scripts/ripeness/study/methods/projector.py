"""Define tuning of a projector alone, the first stage of LLaVA (Liu et al. 2023, arXiv 2304.08485 and 2310.03744).

It turns patch states of a frozen encoder into embeddings that the model reads before a prompt. The model stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import ANSWERS, Kind, Seeing, TrainingSettings

FOLLOWERS = ("full", "lora")  # the kinds that train model and projector together, the second stage


@dataclass(frozen=True, kw_only=True)
class ProjectorSettings(Seeing, TrainingSettings):
    """Settings of a training of a projector."""

    kind: Literal["projector"] = "projector"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse several GPUs."""
    check_one_gpu(where, given, "a model with a projector")


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in two linear layers, of a model whose width is about that of 12 d^2 a block and d / 64."""
    return round(2 * (n_parameters / 12) ** (2 / 3) * 16)


PROJECTOR = Kind(
    ProjectorSettings,
    trains="two linear layers between the states of a frozen encoder of pictures and the embeddings",
    refused={
        "replay": "text is not read by a projector, and the model stays as it is\nhint: take out `replay`",
        "pull": "the model stays as it is\nhint: take out `pull`",
    },
    check=check,
    has_small_state=True,
    merges=False,
    state_size=state_size,
    learns=(ANSWERS,),
    followers=FOLLOWERS,
)
