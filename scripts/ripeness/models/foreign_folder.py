"""What a model folder of others may hold that would hang, fill the memory, or be read as another model than it is.

Looked at once, when the folder is fetched.
"""

import json
import math
import multiprocessing
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

POINTER = b"version https://git-lfs.github.com/spec/"  # what a clone without Git LFS has instead of a file
WHOLE = ("I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL")  # kinds of numbers of safetensors
SMALL = ("F8_", "F6_", "F4")  # how those of numbers of 8 bits and fewer begin
MOST_HEADER = 100_000_000  # bytes; safetensors reads no longer one
MOST_GROWTH = 10_000  # of a text that a tokenizer writes again, for each character
CHANCE = re.compile(r"\|\s*random\b|\blipsum\s*\(|'random'|\"random\"")  # other text at every making
CPU_S, MEMORY = 10, 2**31  # of a chat template with two conversations; real ones take a thousandth
TOO_LONG, TOO_LARGE, CHANGES = 3, 4, 5  # exit statuses
# six turns, short and as long as people's longest
CONVERSATIONS = [
    [
        {"role": role, "content": f"{role} says {number}. " * times}
        for number in range(3)
        for role in ("user", "assistant")
    ]
    for times in (1, 2000)
]
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}>")  # how Python writes what has no text, other in every process


def check_foreign(folder: Path) -> None:
    """Refuse pointers of Git LFS, adapters next to a model, quantised weights, and what has no bounds."""
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".jinja", ".model", ".txt", ".safetensors", ".bin") and path.is_file():
            with path.open("rb") as file:
                if file.read(len(POINTER)) == POINTER:
                    raise UserError(f"{path} is a pointer of Git LFS, not the file itself\nhint: git lfs pull")
    if (folder / "adapter_config.json").exists():
        raise UserError(
            f"{folder} holds an adapter next to a model: adapter_config.json\n"
            "hint: merge it into the weights (merge_and_unload of peft), or remove the file if the model is meant alone"
        )
    for path in sorted(folder.glob("*.safetensors")):
        check_numbers(path)
    check_index(folder / "model.safetensors.index.json")
    check_normalizer(folder / "tokenizer.json")
    for path, template in chat_templates(folder):
        check_chat_template(path, template)


def check_numbers(path: Path) -> None:
    """Refuse weights of whole numbers or of 8 bits: they are quantised, or another file's.

    A damaged file is the gate's.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if size < MOST_HEADER else {}
        kinds = {name: tensor["dtype"] for name, tensor in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    what = {name: "whole numbers" for name, kind in kinds.items() if kind in WHOLE and name.endswith(".weight")}
    what |= {name: "numbers of 8 bits or fewer" for name, kind in kinds.items() if str(kind).startswith(SMALL)}
    if name := next(iter(what), None):
        raise UserError(
            f"{path}: {name} consists of {what[name]} ({kinds[name]}), which are not weights\n"
            "hint: name the checkpoint as it was before its weights were quantised, or convert it again"
        )


def check_index(path: Path) -> None:
    """Refuse an index that names files with what is no text."""
    names = read_json(path, dict).get("weight_map") if path.is_file() else None
    if isinstance(names, dict) and (odd := [name for name in names.values() if not isinstance(name, str)]):
        raise UserError(f"{path} names the file {odd[0]!r:.40}\nhint: it is damaged; copy or download it again")


def check_normalizer(path: Path) -> None:
    """Refuse a tokenizer that rewrites a text as one that may be many times as long. A damaged one is the gate's."""
    try:
        normalizer = json.loads(path.read_bytes()).get("normalizer") if path.is_file() else None
    except (ValueError, AttributeError, RecursionError):
        return
    growth = math.prod(max(1, len(content)) for content in contents(normalizer))
    if growth > MOST_GROWTH:
        raise UserError(
            f"{path}: its normalizer may make a text {growth:,} times as long; {MOST_GROWTH:,} is the most\n"
            "hint: no model needs this; download the tokenizer again from a place that you trust"
        )


def contents(part: Any) -> Iterator[str]:
    """List the texts that parts of a normalizer put in the place of others."""
    if isinstance(part, list):
        for inner in part:
            yield from contents(inner)
    elif isinstance(part, dict):
        if isinstance(content := part.get("content"), str):
            yield content
        yield from contents(part.get("normalizers"))


def chat_templates(folder: Path) -> Iterator[tuple[Path, str]]:
    """List the chat templates of a folder with their files."""
    for path in sorted([*folder.glob("chat_template.jinja"), *folder.glob("additional_chat_templates/*.jinja")]):
        if path.is_file():
            yield path, path.read_text(encoding="utf-8", errors="replace")
    path = folder / "tokenizer_config.json"
    said = read_json(path, dict).get("chat_template") if path.is_file() else None
    for part in said if isinstance(said, list) else [said]:
        template = part.get("template") if isinstance(part, dict) else part
        if isinstance(template, str):
            yield path, template


def check_chat_template(path: Path, template: str) -> None:
    """Refuse a chat template that draws lots, or takes too long or too much memory for conversations of six turns.

    What it does only for other ones is bounded when it is used, see `ripeness.models.chat`. One that fails is for the
    format `chat`, which says why.
    """
    advice = "download it again from a place that you trust, or remove it if the format `chat` is not used"
    if match := CHANCE.search(template):
        raise UserError(f"{path}: the chat template has {match[0]!r}, so its text differs every time\nhint: {advice}")
    trial = multiprocessing.get_context("fork").Process(target=try_template, args=(template,), daemon=True)
    trial.start()
    trial.join()
    if trial.exitcode == CHANGES:
        raise UserError(
            f"{path}: the chat template writes a memory address, so its text differs every time\nhint: {advice}"
        )
    if trial.exitcode in (TOO_LONG, TOO_LARGE) or (trial.exitcode or 0) < 0:
        what = "too much memory" if trial.exitcode == TOO_LARGE else f"more than {CPU_S} s"
        raise UserError(f"{path}: the chat template takes {what} for six turns\nhint: {advice}")


def try_template(template: str) -> None:
    """Fill a template in a process of its own, which ends with a status that says what it lacked."""
    from transformers.utils.chat_template_utils import render_jinja_template

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime) + CPU_S
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    status = 0
    for conversation in CONVERSATIONS:
        try:
            texts, _ = render_jinja_template([conversation], chat_template=template, bos_token="", eos_token="")
            status = CHANGES if ADDRESS.search(texts[0]) else status
        except MemoryError:
            status = TOO_LARGE
        except Exception:  # noqa: S110 (a template may refuse a conversation)
            pass
    os._exit(status)
