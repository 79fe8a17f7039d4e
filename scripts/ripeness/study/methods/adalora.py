"""Define tuning by adapters whose ranks are allocated in training (AdaLoRA; Zhang et al. 2023, arXiv 2303.10512)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.adapters import ALPHA, MODULES, NO_PULL, RANK
from ripeness.study.methods.lora import state_size as size_of_lora
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import Kind, TrainingSettings

EXCESS = 1.5  # of the rank at the start, where it is not given


@dataclass(frozen=True, kw_only=True)
class AdaloraSettings(TrainingSettings):
    """Settings of a training of adapters of the form B E A, with E diagonal; `rank` is the mean one at the end.

    What is None has a default that depends on the rank or the number of steps.
    """

    rank: int
    alpha: float
    modules: tuple[str, ...] | None = None
    initial_rank: int | None = None
    initial_steps: int | None = None
    final_steps: int | None = None
    allocate_every: int | None = None
    orthogonality: float | None = None
    kind: Literal["adalora"] = "adalora"


def first_rank(given: Mapping[str, Any]) -> int:
    """Return the rank of all adapters at the start."""
    return given.get("initial_rank") or math.ceil(EXCESS * given["rank"])


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse ranks that do not fall, steps that leave no time for it, or several GPUs."""
    if first_rank(given) <= given["rank"]:
        raise UserError(
            f"{where}.initial_rank: {first_rank(given)} is not above the rank of {given['rank']} at the end\n"
            f"hint: e.g. initial_rank: {math.ceil(EXCESS * given['rank'])}, or kind: lora, whose ranks stay"
        )
    if given.get("steps"):
        check_steps(where, given["steps"], given.get("initial_steps") or 0, given.get("final_steps") or 0)
    check_one_gpu(where, given)


def check_steps(where: str, steps: int, first: int, last: int) -> None:
    """Refuse so few steps that none is left between the first and the last ones, in which ranks stay."""
    if steps <= first + last:
        raise UserError(
            f"{where}: {steps} steps leave none to allocate ranks in, after {first} first and before {last} last ones\n"
            "hint: more epochs or steps, or smaller initial_steps and final_steps"
        )


ADALORA = Kind(
    AdaloraSettings,
    trains="low-rank adapters whose ranks fall where they matter least (AdaLoRA, by peft), merged into the weights",
    keys={
        "rank": RANK,
        "alpha": ALPHA,
        "modules": MODULES,
        "initial_rank": {
            "description": "Rank of all adapters at the start; alpha is divided by it. Default: 1.5 times `rank`.",
            "minimum": 2,
            "maximum": 10000,
        },
        "initial_steps": {
            "description": "Steps before ranks begin to fall. Default: a tenth of all steps.",
            "minimum": 0,
            "maximum": 1000000000,
        },
        "final_steps": {
            "description": "Steps at the end in which ranks do not change. Default: three tenths of all steps.",
            "minimum": 0,
            "maximum": 1000000000,
        },
        "allocate_every": {
            "description": "Number of steps between two reductions of the ranks. Default: 1.",
            "minimum": 1,
            "maximum": 1000000000,
        },
        "orthogonality": {
            "description": "Weight of the term of the loss that keeps the adapters' matrices orthogonal. Default: 0.5.",
            "minimum": 0,
            "maximum": 1000,
        },
    },
    example="rank: 8 and alpha: 12; all adapters start at rank 12",
    refused={"pull": NO_PULL},
    check=check,
    has_small_state=True,
    state_size=lambda given, n_parameters: size_of_lora({"rank": first_rank(given) + 1}, n_parameters),
)
