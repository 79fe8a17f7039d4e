"""Find options of a question that say the same: a copy of the right option is right as well.

Texts are the same if they are equal after Unicode's composition (NFC) and but for white space. Options are scored the
same if a model reads the same tokens, as one whose tokenizer makes small letters does of "Yes" and "yes".
"""

import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from typing import Any


def composed(text: str) -> str:
    """Return a text in Unicode's composed form (NFC), in which equal texts are equal."""
    return unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """Return a text composed, with single spaces and none around it."""
    return " ".join(composed(text).split())


def first_equal(values: Iterable[Hashable]) -> list[int]:
    """Return for each value the index of the first one that equals it."""
    seen: dict[Hashable, int] = {}
    return [seen.setdefault(value, place) for place, value in enumerate(values)]


def same_text(options: Iterable[str]) -> list[int]:
    """Return for each option the index of the first one with the same text."""
    return first_equal(map(plain, options))


def same_tokens(options: Iterable[Sequence[int]]) -> list[int]:
    """Return for each option the index of the first one with the same tokens."""
    return first_equal(map(tuple, options))


def says(row: dict[str, Any]) -> list[int]:
    """Return for each option of a prediction the index of the first one with the same text or the same tokens."""
    found = list(row.get("same_text") or same_text(row["choices"]))
    for place, other in enumerate(row.get("same_tokens") or []):
        joined = {found[place], found[other]}
        found = [min(joined) if group in joined else group for group in found]
    return found


def right_places(row: dict[str, Any]) -> list[int]:
    """Return the places of the options that say what the right one says."""
    groups = says(row)
    return [place for place, group in enumerate(groups) if group == groups[row["gold"]]]


def chance(row: dict[str, Any]) -> float:
    """Return the share of right options among those that are scored apart: copies that are read alike count once.

    Letters of options are read apart whatever the options say, so that there each copy counts.
    """
    apart = row.get("same_tokens") or same_text(row["choices"])
    return len({apart[place] for place in right_places(row)}) / len(set(apart))
