"""Apply regular expressions of users within a time limit, since some would practically never end."""

from collections.abc import Callable
from functools import cache
from typing import Any

from ripeness.runtime.errors import UserError

SECONDS = 2.0  # for one text
MOST_CHARACTERS = 2000  # of a pattern


class PatternError(ValueError):
    """What a pattern cannot do: it does not parse, or takes too long."""


@cache
def compiled(pattern: str) -> Any:
    """Return a pattern, compiled once. Raises PatternError if it does not parse."""
    import regex  # late, as few studies have patterns and every job of a cluster reads the plan

    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"a pattern of {len(pattern):,} characters is too long")
    try:
        return regex.compile(pattern, flags=regex.VERSION0)
    except (regex.error, ValueError, RecursionError, OverflowError, MemoryError) as error:  # flags may exclude others
        raise PatternError(f"the pattern {pattern!r} does not parse: {error}") from None


def search(pattern: str, text: str) -> Any:
    """Return the first match in a text, or None. Raises PatternError for a pattern that takes too long."""
    return in_time(compiled(pattern).search, pattern, text)


def fullmatch(pattern: str, text: str) -> Any:
    """Return the match of a whole text, or None. Raises PatternError for a pattern that takes too long."""
    return in_time(compiled(pattern).fullmatch, pattern, text)


def sub(pattern: str, replacement: Callable[[Any], str], text: str) -> str:
    """Return the text with every match replaced. Raises PatternError for a pattern that takes too long."""
    found = compiled(pattern)
    return in_time(lambda text, **limit: found.sub(replacement, text, **limit), pattern, text)


def in_time(function: Callable[..., Any], pattern: str, text: str) -> Any:
    """Apply a function of a pattern to a text, within the time limit."""
    try:
        return function(text, timeout=SECONDS)
    except TimeoutError:
        raise PatternError(
            f"the pattern {pattern!r} takes more than {SECONDS:g} s on a text of {len(text):,} characters"
        ) from None
    except MemoryError:
        raise PatternError(f"the pattern {pattern!r} takes too much memory on {len(text):,} characters") from None


def check_pattern(where: str, pattern: str) -> int:
    """Return the number of groups of a pattern. Raises UserError if it does not parse."""
    try:
        return compiled(pattern).groups
    except PatternError as error:
        raise UserError(f"{where}: {error}\nhint: a regular expression of Python") from None


def check_group(where: str, pattern: str) -> None:
    """Refuse a pattern that does not parse, or has not the one group that says what is compared."""
    if (n_groups := check_pattern(where, pattern)) != 1:
        raise UserError(
            f"{where}: {pattern!r} has {n_groups} groups\n"
            "hint: one pair of parentheses around what is compared; (?:...) groups without counting"
        )
