"""Split the names of published splits or files that serve one role together, joined by `+`."""

import re

SUFFIXES = ("csv", "tsv", "json", "jsonl", "ndjson", "parquet", "pq")
AFTER_SUFFIX = re.compile(rf"(\.(?:{'|'.join(SUFFIXES)})(?:\.gz)?)\s*\+")


def splits_of(text: str) -> list[str]:
    """Return the published splits that a role names: `Easy+Hard` are two."""
    return [part.strip() for part in text.split("+")]


def files_of(text: str) -> list[str]:
    """Return the files of a role: a `+` joins only after a file's suffix, since a folder's name may contain one."""
    return [part.strip() for part in AFTER_SUFFIX.sub("\\1\0", text).split("\0")]


def parts_of(source: dict[str, str], text: str) -> list[str]:
    """Return the splits or files that `text` names in a task's `source`."""
    is_files = "train" in source and "github" not in source
    return files_of(text) if is_files else splits_of(text)
