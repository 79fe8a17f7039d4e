"""Describe what kinds have in common that learn virtual tokens, which stand before every text."""

from collections.abc import Callable, Mapping
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import ANSWERS, TEXT, Kind, TrainingSettings

TOKENS = {
    "description": "Number of virtual tokens before every text. The model has room for that many fewer tokens of text.",
    "minimum": 1,
    "maximum": 100000,
}
ENCODER = {
    "description": (
        "Inner size of a small network that computes what is learned from embeddings while it is trained; only "
        "its output is stored. For prompt this is P-tuning. Default: no such network."
    ),
    "minimum": 1,
    "maximum": 100000,
}
INITIAL = {
    "description": (
        "Initial values of virtual tokens. tokens: as tokens of the vocabulary, drawn by the seed; normal: random "
        "numbers "
        "of standard deviation 1. Default: tokens, and normal with an encoder."
    )
}
NO_PULL = (
    "`pull` holds weights near those of the checkpoint, but virtual tokens leave these as they are\n"
    "hint: take out `pull`, or kind: full; fewer tokens also keep a model near its start"
)

NO_START = (
    "its virtual tokens do not become weights, and a training that starts from it would lose them\n"
    "hint: a method of a kind that merges, such as full or lora"
)


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse an encoder that would have to give the values of tokens, or several GPUs."""
    if given.get("encoder") and given.get("initial") == "tokens":
        raise UserError(
            f"{where}.initial: with an encoder virtual tokens do not start as those of the vocabulary\n"
            "hint: leave out `initial` or `encoder`"
        )
    check_one_gpu(where, given, "a model with virtual tokens")


def count(given: Mapping[str, Any]) -> int:
    """Return how many virtual tokens stand before every text."""
    return int(given["tokens"])


def virtual_tokens(
    settings: type[TrainingSettings],
    *,
    trains: str,
    state_size: Callable[[Mapping[str, Any], int], int],
    keys: Mapping[str, Mapping[str, Any]] | None = None,
    check: Callable[[str, Mapping[str, Any]], None] = check,
) -> Kind:
    """Describe a kind that learns virtual tokens; `keys` are settings that it has in addition to those of all."""
    return Kind(
        settings,
        trains=trains,
        keys={"tokens": TOKENS, "encoder": ENCODER, **(keys or {}), "initial": INITIAL},
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
