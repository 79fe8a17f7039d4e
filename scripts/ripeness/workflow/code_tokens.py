"""Read what a source text means to Python: its tokens without comments, docstrings and layout."""

import io
import tokenize
from functools import cache

SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
# Python 3.12 splits an f-string into tokens; before, it was one STRING.
FSTRING_START = getattr(tokenize, "FSTRING_START", None)
FSTRING_END = getattr(tokenize, "FSTRING_END", None)


@cache
def meaning(source: str) -> str:
    """Return the tokens of a source text, without comments, docstrings and layout."""
    return "\n".join(text for _, text in sorted(meaning_by_line(source).items()))


@cache
def meaning_by_line(source: str) -> dict[int, str]:
    """Return the tokens of every logical line by the row it begins in, without comments, docstrings and layout."""
    lines: dict[int, str] = {}
    marks: list[str] = []  # of indentation, which belong to the next line
    line: list[str] = []
    first, only_strings = 0, True  # of the logical line at hand
    for kind, text, row in whole_strings(source):
        if kind in SKIPPED:
            continue
        if kind in (tokenize.INDENT, tokenize.DEDENT):
            marks.append("\x01" if kind == tokenize.INDENT else "\x02")
        elif kind == tokenize.NEWLINE:
            if not only_strings:  # else a docstring: a statement that is nothing but text has no effect
                lines[first] = "\0".join([*marks, *line])
                marks = []
            line, only_strings = [], True
        else:
            first = first if line else row
            only_strings = only_strings and kind == tokenize.STRING
            line.append(text)
    return lines


def whole_strings(source: str) -> list[tuple[int, str, int]]:
    """List (kind, text, row) of every token, with an f-string as one STRING as before Python 3.12."""
    rows = io.StringIO(source).readlines()
    result: list[tuple[int, str, int]] = []
    depth, start = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == FSTRING_START:
            start = start if depth else token.start
            depth += 1
        elif token.type == FSTRING_END:
            depth -= 1
            if not depth:
                result.append((tokenize.STRING, source_between(rows, start, token.end), start[0]))
        elif not depth:
            result.append((token.type, token.string, token.start[0]))
    return result


def source_between(rows: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the source text from one (row, column) to another; rows count from 1."""
    if start[0] == end[0]:
        return rows[start[0] - 1][start[1] : end[1]]
    return rows[start[0] - 1][start[1] :] + "".join(rows[start[0] : end[0] - 1]) + rows[end[0] - 1][: end[1]]
