"""Know files by their content, and read again only those whose size, time or inode has changed.

`contents.jsonl` in a study's folder remembers what was read: digests of files that no job makes, and of results that
were copied or touched since they were made.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from ripeness.workflow.appended_lines import append, read_lines

CONTENTS = "contents.jsonl"
BLOCK_BYTES = 2**20
MOST_BLOCKS = 256  # that are read of one file
WHOLE_BYTES = BLOCK_BYTES * MOST_BLOCKS  # of what is read in full
DIGEST_LETTERS = 20
TIME_OF_FOLDER = ".snakemake_timestamp"  # Snakemake's file in a folder that a job has made


@dataclass(frozen=True)
class Look:
    """What shows of a file, or of all files in a folder, without reading it: size in bytes, times and inodes."""

    size: int
    stamp: str


def digest_of(value: Any) -> str:
    """Digest of a value that JSON can say: 20 hex digits, the same for the same value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LETTERS]


def metadata_of(path: str) -> Look | None:
    """Look at a file, or at all files in a folder, from outside; links are followed. None for what is not there."""
    try:
        status = os.stat(path)
        if not S_ISDIR(status.st_mode):
            return Look(status.st_size, f"{status.st_mtime_ns} {status.st_ino}")
        with os.scandir(path) as entries:
            inner = [(entry.name, metadata_of(entry.path)) for entry in entries]
    except OSError:
        return None
    found = sorted((name, one.size, one.stamp) for name, one in inner if one)
    return Look(sum(size for _, size, _ in found), digest_of(found))


class Contents:
    """Digests of content that are remembered in a study's folder."""

    def __init__(self, folder: Path) -> None:
        """Read what is remembered."""
        self.folder, self.path = folder, folder / CONTENTS
        self.known = {line["path"]: (line["stamp"], line["digest"]) for line in read_lines(self.path)}

    def digest(self, path: Path) -> str:
        """Digest of the content of a file, or of all files in a folder with their names; links are followed."""
        if path.is_dir():
            return folder_digest(path, self.digest)
        try:
            status = path.stat()
        except OSError:
            return "missing"
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns]  # cp -p keeps the first three
        return self.remembered(str(path.absolute()), stamp, lambda: content_digest(path, status.st_size))

    def of_result(self, output: str, seen: Look) -> str:
        """Digest of the content of a result that has been looked at; `output` is relative to the study's folder."""
        return self.remembered(output, [seen.size, seen.stamp], lambda: result_digest(self.folder / output))

    def remembered(self, name: str, stamp: list[Any], read: Callable[[], str]) -> str:
        """Return the digest that was read when a file had this stamp, or read it now."""
        if name not in self.known or self.known[name][0] != stamp:
            self.known[name] = (stamp, read())
            append(self.path, {"path": name, "stamp": stamp, "digest": self.known[name][1]})
        return self.known[name][1]


def folder_digest(path: Path, digest: Callable[[Path], str], *, but: Collection[str] = ()) -> str:
    """Digest of the names and the contents of all files in a folder but Snakemake's own; links are followed."""
    inner = sorted(Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names)
    counted = [one for one in inner if one.name != TIME_OF_FOLDER and one.name not in but]
    return digest_of([[str(one.relative_to(path)), digest(one)] for one in counted])


def result_digest(path: Path, *, but: Collection[str] = ()) -> str:
    """Digest of the content of a result as it is now: of a file, or of all files in a folder with their names.

    `but` has names of files that are left out.
    """
    if path.is_dir():
        return folder_digest(path, result_digest, but=but)
    try:
        return content_digest(path, path.stat().st_size)
    except OSError:
        return "missing"


def content_digest(path: Path, size: int) -> str:
    """Digest of a file's content; of a large file of its size and of blocks spread evenly over it, first and last too.

    Reading all of a series of large models would take longer than planning them. Training changes every weight, so that
    no two checkpoints agree in all blocks.
    """
    n_blocks = -(-size // BLOCK_BYTES)
    places = list(range(n_blocks))
    if n_blocks > MOST_BLOCKS:
        places = sorted({round(n * (n_blocks - 1) / (MOST_BLOCKS - 1)) for n in range(MOST_BLOCKS)})
    found = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for place in places:
            file.seek(place * BLOCK_BYTES)
            found.update(file.read(BLOCK_BYTES))
    return found.hexdigest()[:DIGEST_LETTERS]
