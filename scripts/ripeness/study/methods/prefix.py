"""Define tuning by keys and values that stand before those of every text (Li and Liang 2021, arXiv 2101.00190)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.study.methods.settings import TrainingSettings
from ripeness.study.methods.virtual_tokens import virtual_tokens


@dataclass(frozen=True, kw_only=True)
class PrefixSettings(TrainingSettings):
    """Settings of a training of keys and values: of how many virtual tokens, and how they are computed and start."""

    tokens: int
    encoder: int | None = None
    initial: Literal["tokens", "normal"] | None = None
    kind: Literal["prefix"] = "prefix"


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the keys and values, on the safe side: 2 d numbers a token for each block of some 12 d^2 parameters.

    A width of 16 at least is taken for granted.
    """
    return round(given["tokens"] * n_parameters / (6 * 16))


PREFIX = virtual_tokens(
    PrefixSettings,
    trains="keys and values of virtual tokens in every layer, which stand before every text (prefix-tuning)",
    state_size=state_size,
)
