"""Save a small tuned state in a folder next to its checkpoint, and put it back into the checkpoint's model.

The folder has `tuned.safetensors`, the state, and `tuned.json`: the settings with their kind, the checkpoint's folder
relative to this one, and a fingerprint of the checkpoint's weights, so that no state is put into another model.
"""

import hashlib
import os
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from ripeness.models.methods.attached import State
from ripeness.models.methods.register import attach
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.runtime.made_here import damaged
from ripeness.runtime.typed_settings import check_types
from ripeness.storage.arrays import open_tensors
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import MethodSettings

STATE, RECORD = "tuned.safetensors", "tuned.json"
BLOCK = 2**22  # weights whose bits are added up at a time


@dataclass(frozen=True)
class Tuned:
    """A small tuned state and what it belongs to: settings, and the fingerprint of the checkpoint that was tuned."""

    settings: MethodSettings
    state: State
    fingerprint: str


@torch.no_grad()
def fingerprint_of(model: PreTrainedModel) -> str:
    """Return a digest of the weights of a model in single precision: the sum of the bits of each, the same anywhere."""
    sums = [
        sum(int(block.sum(dtype=torch.int64)) for block in weight.contiguous().view(torch.int32).flatten().split(BLOCK))
        for weight in (parameter.detach().float() for parameter in model.parameters())
    ]
    return hashlib.sha256(repr(sums).encode()).hexdigest()[:32]


def write_tuned(folder: Path, tuned: Tuned, checkpoint: Path, output: Path) -> None:
    """Write a state into `folder`, which will be found at `output`, with the way from there to what was tuned.

    That is a checkpoint, or the model of another training, which may be a small state itself.
    """
    folder.mkdir(exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tuned.state.items()}, folder / STATE)
    settings = {key: value for key, value in asdict(tuned.settings).items() if value is not None}
    way = os.path.relpath(checkpoint.absolute(), output.absolute())
    write_json(folder / RECORD, {"settings": settings, "checkpoint": {"path": way, "fingerprint": tuned.fingerprint}})


def is_small(folder: Path) -> bool:
    """Return whether a folder has a small state rather than a model."""
    return (Path(folder) / RECORD).is_file()


def stays_attached(folder: Path) -> bool:
    """Return whether a folder has a small state that does not become weights of its checkpoint's model."""
    return is_small(folder) and not KINDS[read_record(folder)["settings"]["kind"]].merges


def kind_of_state(folder: Path) -> str | None:
    """Return the kind of the small state in a folder; None where it has all weights."""
    return str(read_record(folder)["settings"]["kind"]) if is_small(folder) else None


def read_record(folder: Path) -> dict[str, Any]:
    """Return what tuned.json says; UserError where it is damaged, or of a kind that a newer version has."""
    path = Path(folder) / RECORD
    record = read_json(path, dict, keys=("settings", "checkpoint"))
    for part, key in (("settings", "kind"), ("checkpoint", "path"), ("checkpoint", "fingerprint")):
        if not isinstance(record[part], dict) or not isinstance(record[part].get(key), str):
            raise damaged(path, f"it lacks the {key} of the {part}")
    if (kind := record["settings"]["kind"]) not in KINDS:
        raise UserError(
            f"{path}: unknown kind {kind!r}; known are {', '.join(KINDS)}\n"
            "hint: a newer version of this project has written it; update this one"
        )
    return record


def settings_of(record: dict[str, Any], path: Path) -> MethodSettings:
    """Return the settings in a record; UserError where they are not those of their kind."""
    kind, values = KINDS[record["settings"]["kind"]].settings, record["settings"]
    check_types(str(path), kind, values)
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    unknown, missing = values.keys() - {field.name for field in fields(kind)}, needed - values.keys()
    if unknown or missing:
        words = [f"unknown {key!r}" for key in sorted(unknown)] + [f"no {key!r}" for key in sorted(missing)]
        raise UserError(
            f"{path}: the settings have {', '.join(words)}\n"
            "hint: another version of this project has written it; take that one, or tune the model again"
        )
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return kind(**given)


def checkpoint_of(folder: Path) -> Path:
    """Return the folder of the checkpoint that a small state belongs to; UserError where it is no longer there."""
    way, here = read_record(folder)["checkpoint"]["path"], Path(folder)
    places = [Path(os.path.normpath(place / way)) for place in (here.absolute(), here.resolve())]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise UserError(
            f"the checkpoint that {folder} was tuned from is not at {places[0]}\n"
            f"hint: put it back, or write its location, relative to {here.name}, as `path` of the `checkpoint` into "
            f"{here / RECORD}"
        )
    return found


def folders_of(folder: Path) -> list[Path]:
    """Return the folders that a model is made from: one with all weights, and the small states that are put into it."""
    found = [Path(folder)]
    while is_small(found[0]):
        before = checkpoint_of(found[0])
        if any(before.resolve() == known.resolve() for known in found):
            raise damaged(found[0] / RECORD, "the `path` of its checkpoint leads back to it")
        found.insert(0, before)
    return found


def put_state(model: PreTrainedModel, folder: Path, checkpoint: Path) -> None:
    """Put a small state into the model of its checkpoint, and merge it or leave it there, as its training did."""
    record, path = read_record(folder), Path(folder) / STATE
    if fingerprint_of(model) != record["checkpoint"]["fingerprint"]:
        raise UserError(
            f"{folder} was tuned from other weights than those in {checkpoint}\n"
            "hint: the checkpoint was replaced, or `path` in tuned.json names another one; tune it again"
        )
    state, settings = read_state(folder), settings_of(record, Path(folder) / RECORD)
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):  # adapters start at random before they are loaded
        attached = attach(model, settings)
        try:
            attached.load(state)
        except (KeyError, ValueError) as error:
            raise damaged(path, f"it is of another model: {error.args[0]}") from None
    attached.merge()


def read_state(folder: Path) -> State:
    """Read the tensors of a small state."""
    with open_tensors(Path(folder) / STATE) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)


def states_of_kind(folders: list[Path], kind: str, fingerprint: str) -> list[State]:
    """Read small states that a training is made of; UserError for one of another kind, or of another model."""
    for folder in folders:
        record = read_record(folder) if is_small(folder) else None
        if record is None or record["settings"]["kind"] != kind:
            raise UserError(f"{folder} has no state of kind {kind}\nhint: name models that were tuned by kind {kind}")
        if record["checkpoint"]["fingerprint"] != fingerprint:
            raise UserError(
                f"{folder} was tuned from another model than this training starts from\n"
                "hint: the same checkpoint for both, and the same --start, if any"
            )
    return [read_state(folder) for folder in folders]
