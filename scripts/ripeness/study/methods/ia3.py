"""Define tuning by vectors that scale keys, values and inner states (IA3; Liu et al. 2022, arXiv 2205.05638)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.adapters import MODULES, NO_PULL
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import Kind, TrainingSettings

LARGEST_SHARE = 0.05  # of a model's numbers: a vector for each of a few matrices of a width of 20 at least


@dataclass(frozen=True, kw_only=True)
class Ia3Settings(TrainingSettings):
    """Settings of a training of scales: the last names of the layers, and of those whose inputs are scaled."""

    modules: tuple[str, ...] | None = None
    input_modules: tuple[str, ...] | None = None
    kind: Literal["ia3"] = "ia3"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse layers whose inputs are scaled and that are not among the layers, or several GPUs."""
    inputs, modules = set(given.get("input_modules") or ()), set(given.get("modules") or ())
    if inputs - modules:
        raise UserError(
            f"{where}.input_modules: {', '.join(sorted(inputs - modules))} is not among `modules`\n"
            "hint: `modules` lists all layers, `input_modules` those of them whose inputs are scaled, not their outputs"
        )
    check_one_gpu(where, given)


IA3 = Kind(
    Ia3Settings,
    trains="vectors that scale keys, values and inner states of the feed-forward part (IA3, by peft), merged",
    keys={
        "modules": MODULES,
        "input_modules": MODULES
        | {"description": "Those of `modules` whose inputs are scaled, and not their outputs. Default: none of them."},
    },
    refused={"pull": NO_PULL},
    check=check,
    has_small_state=True,
    state_size=lambda given, n_parameters: round(LARGEST_SHARE * n_parameters),
)
