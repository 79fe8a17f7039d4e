"""Keep what was read of a source text next to its compiled code, so that a plan reads only what has changed.

A file of __pycache__ holds the statements of one source. It counts for the same text at the same place in the project,
read by the same code: whatever differs, or cannot be read, is read anew.
"""

import hashlib
import json
import os
import sys
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from ripeness.workflow import code_statements, code_tokens
from ripeness.workflow.code_statements import Imported, Source, Written, read_source


def read_kept(path: Path, place: str) -> Source:
    """Return the statements of a file at `place` in the folder of the package; keep them where this is possible."""
    text = path.read_text(encoding="utf-8")
    kept = Path(cache_from_source(str(path))).with_suffix(".code.json")
    read_from = digest_of([reader(), place, text])
    with suppress(OSError, ValueError):  # there is none, or it is no text
        key, _, plain = kept.read_text(encoding="utf-8").partition("\n")
        if key == digest_of([read_from, plain]):
            return from_plain(json.loads(plain))
    source = read_source(text, place)
    if not sys.dont_write_bytecode:
        plain = json.dumps(to_plain(source))
        with suppress(OSError):
            write(kept, f"{digest_of([read_from, plain])}\n{plain}")
    return source


def digest_of(parts: list[str]) -> str:
    """Compute a digest of texts in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def reader() -> str:
    """Identify the code that reads, and what it keeps."""
    files = (code_statements.__file__, code_tokens.__file__, __file__)
    return digest_of([sys.version, *(Path(file).read_text(encoding="utf-8") for file in files)])


def to_plain(source: Source) -> dict[str, Any]:
    """Return a source as values of JSON."""
    statements = [
        [sorted(one.defines), sorted(one.mentions), one.tokens, one.imports, one.is_change] for one in source.statements
    ]
    return {"statements": statements, "imports": source.imports} | {
        "libraries": sorted(source.libraries),
        "is_neutral": source.is_neutral,
    }


def from_plain(plain: dict[str, Any]) -> Source:
    """Return the source of values of JSON."""
    statements = [
        Written(frozenset(defines), frozenset(mentions), tokens, pairs(imports), is_change)
        for defines, mentions, tokens, imports, is_change in plain["statements"]
    ]
    return Source(statements, pairs(plain["imports"]), frozenset(plain["libraries"]), plain["is_neutral"])


def pairs(imports: dict[str, list[Any]]) -> dict[str, Imported]:
    """Return imports with their pairs, which JSON has made lists."""
    return {name: (module, part) for name, (module, part) in imports.items()}


def write(path: Path, text: str) -> None:
    """Write a file whole; another process may write the same at the same time."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
