"""Know what every result was made from: a key for each output, kept with the results.

The key of a job is a digest of what its outputs depend on: its rule, its settings, its code, and the keys of its
inputs. The key of a file that no job makes is a digest of its content. So a key reaches down to the weights, the
tokenizer and the rows, and it is the same in every folder, on every machine and after any copy.

`keys.jsonl` in the study's folder has one line for every job that ended well: its key and the parts of it, and its
outputs with their sizes. A line "begun" names outputs that a job began to make again. The last line about an output
counts. Paths are relative to the study's folder, so that the folder can be moved. `contents.jsonl` next to it remembers
digests of files that no job makes, with their size, time and inode, so that an unchanged file is not read again.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from stat import S_ISDIR
from typing import Any

KEYS = "keys.jsonl"
CONTENTS = "contents.jsonl"
PLAN = "plan.json"  # what the study has as it is now: outputs and logs of all its jobs
BLOCK_BYTES = 2**20
MOST_BLOCKS = 256  # that are read of one file
KEY_LETTERS = 20
NO_KEY = "no key"  # of a result of which nothing is known
WEIGHTS = "model"  # the folder of a tuned model


@dataclass(frozen=True)
class Key:
    """The key of a job in parts: what it does, by which code, on which inputs.

    A job that measures a model on probes has a digest of each probe with the rows that it reads, apart from the rest:
    its result serves every plan that wants some of these probes.
    """

    rule: str
    settings: str
    code: str
    inputs: str
    probes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """One digest of all parts."""
        return digest_of([self.rule, self.settings, self.code, self.inputs, self.probes])

    @property
    def without_probes(self) -> "Key":
        """The parts that are the same for all probes."""
        return replace(self, probes=())

    def difference(self, made: "Key") -> str:
        """Name what differs from the key of a result that was made: settings, code, input, probe; "" for nothing."""
        names = {"rule": "rule", "settings": "settings", "code": "code", "inputs": "input"}
        parts = [name for part, name in names.items() if getattr(self, part) != getattr(made, part)]
        return ", ".join(parts + (["probe"] if set(self.probes) - set(made.probes) else []))


@dataclass(frozen=True)
class Made:
    """What is known of an output: the key of the job that made it, and its size in bytes.

    No size was noted of what was deleted at once, or that of a folder from which weights are deleted once measured.
    """

    key: Key
    size: int | None


def digest_of(value: Any) -> str:
    """Digest of a value that JSON can say: 20 hex digits, the same for the same value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_LETTERS]


def size_of(path: str) -> int | None:
    """Size in bytes of a file, or of all files in a folder; None for what is not there."""
    try:
        status = os.stat(path)
        if not S_ISDIR(status.st_mode):
            return status.st_size
        with os.scandir(path) as entries:
            return sum(size_of(entry.path) or 0 for entry in entries)
    except OSError:
        return None


class Keys:
    """The keys of the results in one study's folder, read once and appended to."""

    def __init__(self, folder: Path) -> None:
        """Read the keys in a study's folder."""
        self.folder = folder
        self.path = folder / KEYS
        self.place = f"{folder}/"
        self.made: dict[str, Made] = {}
        self.by_key: dict[tuple[Key, str], list[str]] | None = None
        for line in read_lines(self.path):
            if "begun" in line:
                for output in line["begun"]:
                    self.made.pop(output, None)
                continue
            key = Key(line["rule"], line["settings"], line["code"], line["inputs"], tuple(line["probes"]))
            self.made |= {output: Made(key, size) for output, size in line["outputs"].items()}

    def of(self, output: str) -> Made | None:
        """Say what is known of an output that is there now; None where its size is no longer the one that was noted."""
        made = self.made.get(output)
        if made is None or made.size is None:
            return made
        return made if made.size == size_of(self.place + output) else None

    def elsewhere(self, key: Key, output: str) -> str | None:
        """Find another output with the name and the key of `output`, which has been made in another folder."""
        if self.by_key is None:
            self.by_key = {}
            for other, made in self.made.items():
                self.by_key.setdefault((made.key.without_probes, Path(other).name), []).append(other)
        for other in self.by_key.get((key.without_probes, Path(output).name), []):
            there = self.of(other)
            if there and not key.difference(there.key) and os.path.exists(self.place + other):
                return other
        return None

    def noted_size(self, output: str) -> int | None:
        """Return the size by which a change is noticed; None for weights, which are deleted once measured."""
        return None if Path(output).name == WEIGHTS else size_of(self.place + output)

    def follow(self, place: Path, into: Path) -> None:
        """Note that an output, or all outputs in a folder, have been moved to the folder `into`."""
        for output, made in list(self.made.items()):
            if Path(output) == place or place in Path(output).parents:
                self.add(made.key, [str(into / output)])

    def forget(self, outputs: Iterable[str]) -> None:
        """Note that outputs are being made anew: until they are, nothing is known of them."""
        if known := [output for output in outputs if self.made.pop(output, None)]:
            append(self.path, {"begun": known})

    def add(self, key: Key, outputs: Iterable[str], *, accepted: str | None = None) -> None:
        """Note the key of outputs that have just been made, or that were accepted as they are.

        `accepted` is the code that made them, or NO_KEY where nothing is known of it.
        """
        sizes = {output: self.noted_size(output) for output in outputs}
        self.made |= {output: Made(key, size) for output, size in sizes.items()}
        append(self.path, asdict(key) | {"outputs": sizes} | ({"accepted": accepted} if accepted else {}))


class Contents:
    """Digests of files that no job makes."""

    def __init__(self, folder: Path) -> None:
        """Read the digests that are remembered in a study's folder."""
        self.path = folder / CONTENTS
        self.known = {line["path"]: (line["stamp"], line["digest"]) for line in read_lines(self.path)}

    def digest(self, path: Path) -> str:
        """Digest of the content of a file, or of all files in a folder with their names; links are followed."""
        if path.is_dir():
            inner = sorted(Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names)
            return digest_of([[str(one.relative_to(path)), self.digest(one)] for one in inner])
        try:
            status = path.stat()
        except OSError:
            return "missing"
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        name = str(path.absolute())
        if name in self.known and self.known[name][0] == stamp:
            return self.known[name][1]
        digest = content_digest(path, status.st_size)
        self.known[name] = (stamp, digest)
        append(self.path, {"path": name, "stamp": stamp, "digest": digest})
        return digest


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
    return found.hexdigest()[:KEY_LETTERS]


def accepted_results(folder: Path) -> list[dict[str, Any]]:
    """Count, by rule, results that were accepted as they are: rule, code before (or NO_KEY), code since, jobs."""
    counts = Counter(
        (line["rule"], line["accepted"], line["code"]) for line in read_lines(folder / KEYS) if "accepted" in line
    )
    names = ("rule", "code_before", "code_since", "jobs")
    return [dict(zip(names, (*key, n), strict=True)) for key, n in sorted(counts.items())]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a file that is appended to; a last line that was cut off counts as not written."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in text.split("\n")[:-1]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue  # what a crash has left; its results have no key and are made again
        if isinstance(value, dict):
            found.append(value)
    return found


def append(path: Path, value: dict[str, Any]) -> None:
    """Append one line to a file, which is made where it is not there; not at all where nothing can be written."""
    if not path.parent.is_dir():
        return  # a plan of a study that has not run
    try:
        with path.open("ab") as file:
            if file.tell() and not ends_line(path):
                file.write(b"\n")
            file.write(json.dumps(value, sort_keys=True).encode() + b"\n")
            file.flush()
    except OSError:
        if os.access(path.parent, os.W_OK):
            raise


def ends_line(path: Path) -> bool:
    """Say whether a file that is not empty ends with the end of a line."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
