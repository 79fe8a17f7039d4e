"""What numbers the files of a tokenizer give to tokens, and whether they are read so: one number is one token."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from ripeness.runtime.files import read_json

CONFIG = "tokenizer_config.json"
Numbered = list[tuple[str, int]]  # tokens with their numbers


def wrong_numbers(folder: Path, tokenizer: PreTrainedTokenizerBase) -> tuple[str, str] | None:
    """Find two tokens of one number, or one that is read as another number than its file says.

    Returns what is wrong and a hint; None if nothing is.
    """
    said = read_json(folder / "tokenizer.json", dict)
    vocabulary, added = said["model"].get("vocab"), added_tokens(said)
    numbered = [*(vocabulary.items() if isinstance(vocabulary, dict) else []), *added]
    if twice := of_one_number(numbered):
        one, other, number = twice
        return (
            f"tokenizer.json gives the number {number} to two tokens, {one!r} and {other!r}",
            "what the model writes with this number has two readings: download the file again, or remove one",
        )
    return read_otherwise(tokenizer, "tokenizer.json", added) or read_otherwise(
        tokenizer, "its configuration", configured(folder)
    )


def added_tokens(said: dict[str, Any]) -> Numbered:
    """List the added tokens of a tokenizer.json."""
    return [(token["content"], token["id"]) for token in said.get("added_tokens") or []]


def configured(folder: Path) -> Numbered:
    """List the tokens to which tokenizer_config.json, or added_tokens.json, gives numbers."""
    config, older = (
        read_json(folder / name, dict) if (folder / name).is_file() else {} for name in (CONFIG, "added_tokens.json")
    )
    tokens = config.get("added_tokens_decoder")
    found = [
        (token["content"], int(number))
        for number, token in (tokens if isinstance(tokens, dict) else {}).items()
        if number.isdecimal() and isinstance(token, dict) and isinstance(token.get("content"), str)
    ]
    return [*found, *((token, number) for token, number in older.items() if isinstance(number, int))]


def of_one_number(numbered: Iterable[tuple[str, int]]) -> tuple[str, str, int] | None:
    """Find two tokens that have the same number."""
    token_of: dict[int, str] = {}
    for token, number in numbered:
        if token_of.setdefault(number, token) != token:
            return token_of[number], token, number
    return None


def read_otherwise(tokenizer: PreTrainedTokenizerBase, file: str, numbered: Numbered) -> tuple[str, str] | None:
    """Find a token that the tokenizer knows under another number than a file says.

    The library of tokenizers counts added tokens on from the end of the vocabulary, whatever their file says.
    """
    for token, number in numbered:
        read = tokenizer.backend_tokenizer.token_to_id(token)
        if read not in (number, None):
            return (
                f"{file} gives the token {token!r} the number {number}, but it is read as {read}",
                "is the file that of another model? If numbers are missing before it in tokenizer.json, which the "
                "library of tokenizers does not read, put a token for each of them into its vocabulary",
            )
    return None
