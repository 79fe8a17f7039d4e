"""Know what every result was made from: a key for each output, kept with the results.

The key of a job is a digest of what its outputs depend on: its rule, its settings, its code, and the keys of its
inputs. The key of a file that no job makes is a digest of its content. So a key reaches down to the weights, the
tokenizer and the rows, and it is the same in every folder, on every machine and after any copy.

Data and states of a pre-training count by their content: where they are made again, by other code or from other inputs,
and come out as before, they keep the key that their content had at first, and nothing that reads them runs again. So do
fetched checkpoints for what reads their weights and tokenizer alone; `checkpoint.json`, their facts, is no part of it.

`keys.jsonl` in the study's folder has one line for every job that ended well: its key and the parts of it, and its
outputs with their sizes, digests of content, times and inodes. A line "begun" names outputs that a job began to make
again. The last line about an output counts. Paths are relative to the study's folder, so that the folder can be moved.

A job may read files that only its inputs name, as rows name pictures. It lists them in `read.json` in its output, and
the line has a digest of their contents.
"""

import os
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ripeness.runtime.made_here import MARK
from ripeness.runtime.named_inputs import named_inputs
from ripeness.workflow.appended_lines import append, read_lines
from ripeness.workflow.file_contents import WHOLE_BYTES, Contents, Look, digest_of, metadata_of, result_digest

KEYS = "keys.jsonl"
PLAN = "plan.json"  # what the study has as it is now: outputs and logs of all its jobs
REMOVED = "removed"  # the folder of what was moved aside
NO_KEY = "no key"  # of a result of which nothing is known
CHANGED = "changed since"  # inputs of a result that read files which are other files now
WEIGHTS = "model"  # the folder of a tuned model
FETCHED = "fetch_checkpoint"  # whose outputs have facts apart from what is computed with
FACTS = ("checkpoint.json", MARK)  # the mark has the size of the facts
OF_WEIGHTS = {"train_model", "keep_best", "predict"}  # rules that read no facts of a checkpoint
READERS = {"fetch_dataset"}  # rules whose outputs may list files that only the inputs name
# Rules whose results are known by their content; each has one output.
DATA = {
    "make_dataset", "fetch_dataset", "prepare_items", "render_examples", "fetch_text", "split_text", "fetch_passages",
    "build_corpus", "pretrain_state", "pretrain_encoder", "encode_images", "fetch_checkpoint",
}  # fmt: skip


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


class Made(NamedTuple):
    """What is known of an output: the key of the job that made it, and its size, content, times and inodes then.

    No size was noted of what was deleted at once, or that of a folder from which weights are deleted once measured.
    `read` is the digest of the files that the output lists as read; "" for none.
    """

    key: Key
    size: int | None
    content: str | None = None
    stamp: str = ""
    read: str = ""


class Product(NamedTuple):
    """What is known of data that were made under a key: their content, and the key that what reads them knows."""

    content: str | None
    digest: str


class Keys:
    """The keys of the results in one study's folder, read once and appended to."""

    def __init__(self, folder: Path) -> None:
        """Read the keys in a study's folder."""
        self.folder, self.path, self.place = folder, folder / KEYS, f"{folder}/"
        self.contents = Contents(folder)
        self.made: dict[str, Made] = {}
        self.products: dict[str, Product] = {}  # by the digest of the key
        self.first: dict[tuple[str, str], str] = {}  # by rule and content
        self.by_key: dict[tuple[Key, str], list[str]] | None = None
        self.read_now: dict[str, str] = {}  # digests of the files that outputs list as read, as they are now
        for line in read_lines(self.path):
            try:
                self.take_in(line)
            except (KeyError, TypeError, AttributeError):
                continue  # no note of this program; results that it names have no key

    def take_in(self, line: dict[str, Any]) -> None:
        """Take in one line; KeyError, TypeError or AttributeError for one of another form."""
        if "begun" in line:
            for output in line["begun"]:
                self.made.pop(output, None)
            return
        key = Key(line["rule"], line["settings"], line["code"], line["inputs"], tuple(line["probes"]))
        seen, read = line.get("seen", {}), line.get("read", {})  # not in notes of before these were noted
        for output, size in line["outputs"].items():
            content, stamp = seen.get(output, (None, ""))
            self.made[output] = Made(key, size, content, stamp, read.get(output, ""))
            if key.rule in DATA:
                content = line.get("weights") if key.rule == FETCHED else self.made[output].content
                self.learn(key, content, line.get("counts_as", key.digest))

    def learn(self, key: Key, content: str | None, digest: str) -> None:
        """Take in that data of this content were made under a key, and that what reads them knows them by `digest`."""
        self.products[key.digest] = Product(content, digest)
        if content:
            self.first.setdefault((key.rule, content), digest)

    def known_by(self, key: Key) -> str:
        """Return the digest by which what reads a result knows it: of its key, or of data that had its content first.

        What data come out as is known once they have been made under this key.
        """
        return self.products[key.digest].digest if key.digest in self.products else key.digest

    def known_to(self, rule: str, key: Key) -> str:
        """Return the digest by which a rule knows what it reads: of a checkpoint its key if facts may be read."""
        return key.digest if key.rule == FETCHED and rule not in OF_WEIGHTS else self.known_by(key)

    def counts_as(self, key: Key, content: str | None) -> str:
        """Return the digest by which data are to be known that have just been made with a content."""
        known = self.products.get(key.digest)
        if known and (known.content is None or known.content == content):
            return known.digest
        if content and (key.rule, content) in self.first:
            return self.first[key.rule, content]
        return digest_of([key.digest, content]) if known else key.digest

    def of(self, output: str) -> Made | None:
        """Say what is known of an output that is there now; None where it is no longer what was made.

        It is read where its size is that of then, and its time or inode is not. One that was made of files which have
        changed since has a key with other inputs.
        """
        made = self.made.get(output)
        if made is None or made.size is None:
            return made
        seen = metadata_of(self.place + output)
        if seen is None or seen.size != made.size:
            return made if is_emptied(self.folder / output) else None
        if made.content is not None and seen.stamp != made.stamp:
            made = made if self.contents.of_result(output, seen) == made.content else None
        if made and made.read and self.digest_of_read(output) != made.read:
            return made._replace(key=replace(made.key, inputs=CHANGED))
        return made

    def digest_of_read(self, output: str) -> str:
        """Return the digest of the files that an output lists as read, as they are now; "" where it lists none."""
        if output not in self.read_now:
            found = [[file, self.contents.digest(Path(file))] for file in named_inputs(self.folder / output)]
            self.read_now[output] = digest_of(found) if found else ""
        return self.read_now[output]

    def is_by(self, key: Key, output: str) -> bool:
        """Say whether an output is there and serves a plan that wants it by a key."""
        made = self.of(output)
        return made is not None and not key.difference(made.key) and os.path.exists(self.place + output)

    def elsewhere(self, key: Key, output: str) -> str | None:
        """Find another output with the name and the key of `output`, which has been made in another folder."""
        if self.by_key is None:
            self.by_key = {}
            for other, made in self.made.items():
                self.by_key.setdefault((made.key.without_probes, Path(other).name), []).append(other)
        others = self.by_key.get((key.without_probes, Path(output).name), [])
        return next((other for other in others if other != output and self.is_by(key, other)), None)

    def noted_look(self, output: str, kept: Container[str]) -> Look | None:
        """Return what a change is noticed by; None for weights that are not kept, but deleted once measured."""
        return metadata_of(self.place + output) if output in kept or Path(output).name != WEIGHTS else None

    def below(self, place: Path) -> dict[str, Made]:
        """Return what is known of an output, or of all outputs in a folder, that are what was made."""
        outputs = [output for output in self.made if Path(output) == place or place in Path(output).parents]
        return {output: made for output in outputs if (made := self.of(output))}

    def follow(self, moved: dict[str, Made], into: str) -> None:
        """Note that outputs have been moved to a folder; `moved` is what was known of them before."""
        for output, made in moved.items():
            place = os.path.join(into, output)
            self.add(made.key, [place], kept=[place] if made.size is not None else [])

    def note_contents(self, outputs: Iterable[str]) -> None:
        """Note the contents of data that are to be made again, where none were noted when they were made."""
        for output in outputs:
            if (made := self.of(output)) and (made.content is None or self.is_unread(made.key)):
                self.add(made.key, [output])

    def is_unread(self, key: Key) -> bool:
        """Say whether a checkpoint was fetched before weights were noted apart from facts."""
        return key.rule == FETCHED and key.digest in self.products and self.products[key.digest].content is None

    def forget(self, outputs: Iterable[str]) -> None:
        """Note that outputs are being made again: until they are, nothing is known of them."""
        if known := [output for output in outputs if self.made.pop(output, None)]:
            append(self.path, {"begun": known})

    def add(
        self,
        key: Key,
        outputs: Iterable[str],
        *,
        kept: Container[str] = (),
        accepted: str = "",
        counts_as: str = "",
    ) -> None:
        """Note the key of outputs that have just been made, or that were taken as they are.

        `kept` names models that are not deleted once measured. `accepted` is the code that made the outputs, or NO_KEY
        where nothing is known of it. `counts_as` is what data were known by in the plan that took them.
        """
        sizes, seen, read = dict[str, int | None](), dict[str, tuple[str, str]](), dict[str, str]()
        for output in outputs:
            noted = self.noted_look(output, kept)
            sizes[output] = noted.size if noted else None
            if noted:
                seen[output] = (result_digest(self.folder / output), noted.stamp)
            self.read_now.pop(output, None)
            if key.rule in READERS and (digest := self.digest_of_read(output)):
                read[output] = digest
            content, stamp = seen.get(output, (None, ""))
            self.made[output] = Made(key, sizes[output], content, stamp, read.get(output, ""))
        line = asdict(key) | {"outputs": sizes, "seen": seen} | ({"read": read} if read else {})
        line |= {"accepted": accepted} if accepted else {}
        if key.rule in DATA:
            (output,) = sizes
            content = seen[output][0] if output in seen and (sizes[output] or 0) <= WHOLE_BYTES else None
            if key.rule == FETCHED:  # weights.json in it has digests of all weights, however large
                content = line["weights"] = result_digest(self.folder / output, but=FACTS)
            line["counts_as"] = counts_as or self.counts_as(key, content)
            self.learn(key, content, line["counts_as"])
        append(self.path, line)


def is_emptied(path: Path) -> bool:
    """Say whether a folder is that of a tuned model whose weights were deleted once measured."""
    return path.name == WEIGHTS and path.is_dir() and not any(path.glob("*.safetensors"))


def accepted_results(folder: Path) -> list[dict[str, Any]]:
    """Count, by rule, results that were accepted as they are: rule, code before (or NO_KEY), code since, jobs."""
    counts = Counter(
        (line["rule"], line["accepted"], line["code"]) for line in read_lines(folder / KEYS) if "accepted" in line
    )
    names = ("rule", "code_before", "code_since", "jobs")
    return [dict(zip(names, (*key, n), strict=True)) for key, n in sorted(counts.items())]
