"""Define logistic regression on the states of a model that stays as it is (feature-based; known as a linear probe)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.linear_map import NO_PULL, NO_START, map_size
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import ANSWERS, Kind, Labelled, MethodSettings

STRENGTHS = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)  # that are tried where a method does not say it


@dataclass(frozen=True, kw_only=True)
class FeaturesSettings(Labelled, MethodSettings):
    """Settings of a logistic regression: the strengths of its penalty, of which validation items choose one."""

    penalties: tuple[float, ...] | None = None
    kind: Literal["features"] = "features"


def strengths_of(settings: FeaturesSettings) -> tuple[float, ...]:
    """Return the strengths that are tried, the strongest first."""
    return tuple(sorted(settings.penalties or STRENGTHS, reverse=True))


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse strengths that are none, or several GPUs."""
    if odd := [one for one in given.get("penalties") or () if isinstance(one, (int, float)) and one <= 0]:
        raise UserError(
            f"{where}.penalties: {odd[0]} is not above 0, so there may be no best map\n"
            "hint: use a small one, such as 1.0e-6"
        )
    check_one_gpu(where, given, "a model that is read once")


FEATURES = Kind(
    FeaturesSettings,
    trains="nothing of the model; a logistic regression on its last state before the answer chooses among label words",
    keys={
        "penalties": {
            "description": (
                "Strengths of the penalty; the one with the smallest loss on validation items is used. Half of the "
                "strength times the sum of all squared weights is added to the mean loss, on states with mean 0 and "
                f"deviation 1. Default: {', '.join(f'{one:g}' for one in STRENGTHS)}."
            ),
            "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000000},
            "uniqueItems": True,
            "minItems": 1,
        }
    },
    refused={"pull": NO_PULL},
    check=check,
    has_small_state=True,
    state_size=map_size,
    no_start=NO_START,
    learns=(ANSWERS,),
    leaves_model=lambda given: True,
)
