"""Digests of the code that decides a rule's numbers, so that reruns follow meaning and not bytes.

A digest covers a program and the modules of this package that it imports, directly or not. Comments, docstrings, blank
lines and line breaks within brackets are left out; what remains are the tokens of the language, which are the same in
every version of Python. A rule carries its digest as a `params` value, so a changed digest reruns exactly its jobs.
"""

import hashlib
import io
import re
import tokenize
from functools import cache
from pathlib import Path

PACKAGE = "ripeness"
# How a program is started, logged and given memory, and its files are written whole: no number depends on it.
NEUTRAL = {"allocator", "command_line", "errors", "files"}
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
# Python 3.12 splits an f-string into tokens; before, it was one STRING.
FSTRING_START = getattr(tokenize, "FSTRING_START", None)
FSTRING_END = getattr(tokenize, "FSTRING_END", None)


@cache
def digest(program: Path) -> str:
    """Digest of a program in scripts/ and of the project's modules that it imports: 12 hex digits."""
    package = program.parent / PACKAGE
    files = [program, *sorted(package / f"{name}.py" for name in modules_of(program, package))]
    text = "\0".join(f"{file.name}\0{meaning(file.read_text(encoding='utf-8'))}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def modules_of(program: Path, package: Path) -> set[str]:
    """Names of the package's modules that a program imports, directly or through other modules."""
    found: set[str] = set()
    waiting = [program]
    while waiting:
        for name in imported(waiting.pop()):
            if name not in found | NEUTRAL and (package / f"{name}.py").exists():
                found.add(name)
                waiting.append(package / f"{name}.py")
    return found


def libraries_of(program: Path) -> set[str]:
    """Names of all that a program and the package's modules that it imports import from outside the package."""
    package = program.parent / PACKAGE
    files = [program, *(package / f"{name}.py" for name in modules_of(program, package) | NEUTRAL)]
    texts = (meaning(file.read_text(encoding="utf-8")) for file in files if file.is_file())
    return {name for text in texts for name in re.findall(r"(?:^|[\n\x02]\0?|\x01\0)(?:from|import)\0(\w+)", text)}


@cache
def imported(path: Path) -> frozenset[str]:
    """Names that a file imports from the package: `from ripeness.x import y` and `from ripeness import x`."""
    text = meaning(path.read_text(encoding="utf-8"))
    lists = re.findall(rf"\bfrom\0{PACKAGE}\0import\0([^\n]*)", text)
    modules = re.findall(rf"(?:\b(?:from|import)|,)\0{PACKAGE}\0\.\0(\w+)", text)
    return frozenset(modules).union(*(re.findall(r"(?:^|[(,]\0)(\w+)", names) for names in lists))


@cache
def meaning(source: str) -> str:
    """The tokens of a source text, without comments, docstrings and layout."""
    lines: list[list[str]] = [[]]
    only_strings = True  # of the logical line at hand
    for kind, text in whole_strings(source):
        if kind in SKIPPED:
            continue
        if kind in (tokenize.INDENT, tokenize.DEDENT):
            lines[-1].append("\x01" if kind == tokenize.INDENT else "\x02")
        elif kind == tokenize.NEWLINE:
            if only_strings:  # a docstring: a statement that is nothing but text has no effect
                lines[-1] = [mark for mark in lines[-1] if mark in "\x01\x02"]
            else:
                lines.append([])
            only_strings = True
        else:
            only_strings = only_strings and kind == tokenize.STRING
            lines[-1].append(text)
    return "\n".join("\0".join(line) for line in lines)


def whole_strings(source: str) -> list[tuple[int, str]]:
    """(kind, text) of every token, with an f-string as one STRING as before Python 3.12."""
    rows = io.StringIO(source).readlines()
    result: list[tuple[int, str]] = []
    depth, start = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == FSTRING_START:
            start = start if depth else token.start
            depth += 1
        elif token.type == FSTRING_END:
            depth -= 1
            if not depth:
                result.append((tokenize.STRING, between(rows, start, token.end)))
        elif not depth:
            result.append((token.type, token.string))
    return result


def between(rows: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The source text from one (row, column) to another; rows count from 1."""
    if start[0] == end[0]:
        return rows[start[0] - 1][start[1] : end[1]]
    return rows[start[0] - 1][start[1] :] + "".join(rows[start[0] : end[0] - 1]) + rows[end[0] - 1][: end[1]]
