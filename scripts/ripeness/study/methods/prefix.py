"""Define tuning by keys and values that stand before those of every text (Li and Liang 2021, arXiv 2101.00190)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.study.methods.before_text import ENCODER, INITIAL, NO_PULL, NO_START, TOKENS, check, count
from ripeness.study.methods.settings import ANSWERS, TEXT, Kind, TrainingSettings


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


PREFIX = Kind(
    PrefixSettings,
    trains="keys and values of virtual tokens in every layer, which stand before every text (prefix-tuning)",
    keys={"tokens": TOKENS, "encoder": ENCODER, "initial": INITIAL},
    example="tokens: 8",
    refused={"pull": NO_PULL},
    check=check,
    has_small_state=True,
    merges=False,
    learns=(ANSWERS, TEXT),
    before_text=count,
    state_size=state_size,
    no_start=NO_START,
)
