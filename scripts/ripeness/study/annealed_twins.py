"""Complete the annealed twins of a series: stable checkpoints trained further while the rate falls to zero.

A twin is a line `{anneal: NAME, steps: N, batch_size: B, text: ...}`. Unlike `anneal_from` of a pre-training done here
it needs no moments of the optimiser, so the checkpoint that it names may come from anywhere. Pure Python.
"""

import filecmp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.pretraining_steps import place_of, tokens_per_step
from ripeness.study.schema import hint
from ripeness.study.study_config import StudyConfig

Entry = dict[str, Any]
NEEDED = {"anneal", "steps", "batch_size"}
SETTINGS = {"steps", "batch_size", "sequence_length", "learning_rate", "warmup_ratio", "weight_decay", "seed"}
KNOWN = NEEDED | SETTINGS | {"name", "text"}


def is_twin(entry: Mapping[str, Any]) -> bool:
    """Tell whether a checkpoint's line is that of an annealed twin."""
    return "anneal" in entry


def name_twin(where: str, entry: Entry, settings: dict[str, Any]) -> tuple[str, Entry]:
    """Name and line of a twin of a series with these `settings`; refuse one that lacks a key or has another kind's."""
    missing, strange = sorted(NEEDED - entry.keys()), sorted(entry.keys() - KNOWN)
    if missing or strange:
        raise UserError(
            f"{where}: an annealed twin misses the keys: {', '.join(missing) or 'none'}; unknown keys: "
            f"{', '.join(strange) or 'none'}\n"
            "hint: e.g. {anneal: step1000, steps: 100, batch_size: 8, text: more.txt}"
        )
    if "text" not in entry and "pretrain" not in settings:
        raise UserError(
            f"{where}: `text` is missing\n"
            "hint: a UTF-8 text file like the training text of the series, or the name of a series pre-trained here"
        )
    name = entry.get("name", f"{entry['anneal']}-annealed{entry['steps']}")
    return name, {key: value for key, value in entry.items() if key != "name"}


def complete_twin(where: str, entry: Entry, named: dict[str, Entry], settings: dict[str, Any]) -> Entry:
    """Return the line of a twin with its phase, and with step and tokens if those of its checkpoint are known."""
    parent = named.get(entry["anneal"])
    if parent is None:
        near = hint(entry["anneal"], list(named), otherwise="give the name of a checkpoint of the same series")
        raise UserError(f"{where}: unknown checkpoint {entry['anneal']!r}; known are {', '.join(named)}\n{near}")
    place = place_of(settings["pretrain"], parent) if "pretrain" in settings and not is_twin(parent) else None
    phase = place.phase if place else "annealed" if is_twin(parent) else parent.get("phase", "stable")
    if phase != "stable":
        raise UserError(
            f"{where}: {entry['anneal']} is {phase} already\nhint: only a stable checkpoint can be annealed"
        )
    completed = entry | {"phase": "annealed"}
    step, tokens = parent.get("step"), parent.get("tokens")
    if place:
        completed = {"sequence_length": settings["pretrain"]["sequence_length"]} | completed
        step, tokens = place.step, place.step * tokens_per_step(settings["pretrain"])
    if step is not None:
        completed["step"] = step + entry["steps"]
    if tokens is not None and "sequence_length" in completed:
        completed["tokens"] = tokens + entry["steps"] * entry["batch_size"] * completed["sequence_length"]
    return completed


def measured_files(config: StudyConfig) -> dict[Path, str]:
    """Return the text files that models are measured on, with the place where the config names them."""
    measured = {Path(text.path).resolve(): f"texts.{name}" for name, text in config.texts.items() if text.path}
    for series, settings in config.series.items():
        source = settings.pretrain["source"] if settings.pretrain else {}
        fetched = f"results/{config.study}/text/{series}/validation.txt" if "hub" in source else None
        if heldout := source.get("text", {}).get("validation", fetched):
            measured[Path(heldout).resolve()] = f"the held-out part of series.{series}"
    return measured


def check_texts_apart(config: StudyConfig, checkpoints: dict[str, dict[str, Entry]]) -> None:
    """Refuse to anneal on text that is measured on, by its name, its path, or (where it is there) a copy of it."""
    measured = measured_files(config)
    for series, entries in checkpoints.items():
        for name, entry in entries.items():
            if not is_twin(entry) or corpus_of(config, series, entry):
                continue
            text = entry["text"]
            same = [where for path, where in measured.items() if is_same(path, Path(text).resolve())]
            if found := [f"texts.{text}"] if text in config.texts else same:
                raise UserError(
                    f"series.{series}.checkpoints: {name} is annealed on {text!r}, which is measured on: {found[0]}\n"
                    "hint: anneal on other text; a model must not be measured on text that it was trained on"
                )


def is_same(path: Path, other: Path) -> bool:
    """Tell whether two paths are of one file, or of files with the same content."""
    return path == other or (path.is_file() and other.is_file() and filecmp.cmp(path, other, shallow=False))


def is_pretrained(config: StudyConfig, series: str) -> bool:
    """Tell whether a name is that of a series that is pre-trained here."""
    return series in config.series and config.series[series].pretrain is not None


def corpus_of(config: StudyConfig, series: str, entry: Mapping[str, Any]) -> str | None:
    """Return the pre-trained series whose training text a twin of `series` is annealed on; None if it is a file."""
    text = entry.get("text", series)
    return text if is_pretrained(config, text) else None
