"""Define full tuning: all weights of the model are trained."""

from dataclasses import dataclass
from typing import Literal

from ripeness.study.methods import pull
from ripeness.study.methods.settings import Kind, TrainingSettings


@dataclass(frozen=True, kw_only=True)
class FullSettings(pull.Pulled, TrainingSettings):
    """Settings of a training of all weights."""

    kind: Literal["full"] = "full"


FULL = Kind(FullSettings, trains="all weights", keys=pull.KEYS)
