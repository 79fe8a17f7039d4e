"""Define tuning by embeddings of virtual tokens before every text (Lester et al. 2021, arXiv 2104.08691).

With an encoder it is P-tuning (Liu et al. 2021, arXiv 2103.10385).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods import virtual_tokens
from ripeness.study.methods.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class PromptSettings(TrainingSettings):
    """Settings of a training of embeddings: of how many virtual tokens, and how they are computed and start."""

    tokens: int
    encoder: int | None = None
    encoder_type: Literal["mlp", "lstm"] | None = None
    initial: Literal["tokens", "normal"] | None = None
    kind: Literal["prompt"] = "prompt"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse a type of an encoder that is not there, and what no kind of virtual tokens can have."""
    if given.get("encoder_type") and not given.get("encoder"):
        raise UserError(
            f"{where}.encoder_type: there is no encoder\nhint: give its inner size, e.g. encoder: 64, or leave this out"
        )
    virtual_tokens.check(where, given)


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the embeddings, on the safe side: a single block of width d has some 12 d^2 parameters."""
    return math.ceil(given["tokens"] * math.sqrt(n_parameters / 12))


PROMPT = virtual_tokens.virtual_tokens(
    PromptSettings,
    trains="embeddings of virtual tokens, which stand before every text (prompt-tuning; with an encoder, P-tuning)",
    state_size=state_size,
    keys={"encoder_type": {"description": "mlp: three linear layers; lstm: an LSTM in both directions. Default: mlp."}},
    check=check,
)
