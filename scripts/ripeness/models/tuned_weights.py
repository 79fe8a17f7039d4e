"""Tuned weights on their way from training to measuring: on a node's scratch where there is one, gone once measured."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel

from ripeness.models.model_folder import check_links
from ripeness.models.pictures import Projector, save_projector
from ripeness.models.reward import write_reward
from ripeness.models.tokens import TOKENIZER_FILES
from ripeness.models.tuned_state import RECORD, Tuned, checkpoint_of, is_small, read_record, write_tuned
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, whole, write_json
from ripeness.runtime.made_here import MARK, SCRATCH, TUNED, mark_of, write_mark


def save_model(
    model: PreTrainedModel,
    checkpoint: Path,
    output: Path,
    weights: dict | None = None,
    scratch: Path | None = None,
    tuned: Tuned | None = None,
    start: Path | None = None,
    reward: torch.Tensor | None = None,
    projector: Projector | None = None,
) -> None:
    """Write a tuned model as a folder of its own, with the tokenizer and checkpoint.json of where it came from.

    `weights` are those of a model that is spread over processes, put together. With `tuned`, a small state, that is
    written in place of the weights; it belongs to the model in `start`, or else to the checkpoint. With `reward`, the
    weight of one, that is written next to it, as is a `projector` that moved with the model. With `scratch`, a folder
    on this node, the files lie there, and the model's folder has links to them.
    """
    check_links(checkpoint)
    with whole(output, TUNED) as folder:
        place = scratch_place(output, scratch) if scratch else folder
        if tuned is None:
            with plain_generation(model):
                model.save_pretrained(place, state_dict=weights)
        else:
            write_tuned(place, tuned, start or checkpoint, output)
        if reward is not None:
            write_reward(place, reward)
        if projector is not None:
            save_projector(projector, place)
        copy_settings(checkpoint, place)
        if scratch:
            write_mark(place, SCRATCH, output=str(output.resolve()))
            folder.mkdir()
            for path in place.iterdir():
                if path.name != MARK:
                    (folder / path.name).symlink_to(path)


def copy_settings(checkpoint: Path, folder: Path) -> None:
    """Copy the config, the tokenizer and the facts of a checkpoint next to weights that were tuned from it.

    transformers would write the numbers of a class where the checkpoint's files say nothing, such as a token that ends
    a text. Of a model of several media it would write the text part alone, which may not load as a model.
    """
    config = read_json(checkpoint / "config.json", dict)
    config.pop("torch_dtype", None)
    write_json(folder / "config.json", config | {"dtype": "float32"})
    (folder / "generation_config.json").unlink(missing_ok=True)
    for name in (*TOKENIZER_FILES, "generation_config.json", "checkpoint.json"):
        if (checkpoint / name).exists():
            shutil.copyfile(checkpoint / name, folder / name)


@contextmanager
def plain_generation(model: PreTrainedModel) -> Iterator[None]:
    """Put the settings of generation aside: transformers saves no model with some that published ones have.

    Such as a temperature without sampling, as Llama 2 has. The checkpoint's own file is copied.
    """
    own = getattr(model, "generation_config", None)
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def save_start(start: Path, output: Path) -> None:
    """Write the model in `start` as that of a training which took no step, since what it starts from diverged."""
    with whole(output, TUNED) as folder:
        folder.mkdir()
        for path in start.iterdir():
            if path.is_file() and path.name not in (MARK, ".snakemake_timestamp"):
                shutil.copyfile(path, folder / path.name)
        if is_small(start):
            record = read_record(start)
            way = os.path.relpath(checkpoint_of(start).absolute(), output.absolute())
            write_json(folder / RECORD, record | {"checkpoint": record["checkpoint"] | {"path": way}})


def state_bytes(folder: Path) -> int:
    """Return the bytes of what a tuned model has learned: the weights in its folder, or its small state."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def scratch_place(output: Path, scratch: Path) -> Path:
    """Make an empty folder on scratch for this output; remove what an interrupted attempt left there."""
    place = scratch.resolve() / f"ripeness-{hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]}"
    if is_scratch_of(place, output):
        shutil.rmtree(place)
    try:
        place.mkdir(parents=True, exist_ok=True)
        if place.is_symlink() or any(place.iterdir()):
            raise UserError(
                f"the scratch folder {place} is in use, and no program here has made it\nhint: move them elsewhere"
            )
        write_mark(place, SCRATCH, output=str(output.resolve()))
    except OSError as error:
        raise UserError(
            f"the scratch folder {scratch} cannot be written: {error}\n"
            "hint: `scratch` of the profile is a folder on every node that takes GPU jobs, such as $TMPDIR"
        ) from None
    return place


def is_scratch_of(place: Path, output: Path) -> bool:
    """Return whether a folder was made on scratch for the files of `output`."""
    if place.is_symlink() or not place.name.startswith("ripeness-"):
        return False
    mark = mark_of(place)
    return mark is not None and mark["kind"] == SCRATCH and mark.get("output") == str(output.resolve())


def check_is_tuned(folder: Path) -> dict[str, Any]:
    """Return the mark of a model that was tuned here; UserError for any other, which must not be deleted."""
    mark = None if folder.is_symlink() else mark_of(folder)
    if mark is None or mark["kind"] != TUNED:
        raise UserError(
            f"{folder} was not tuned here, and is not deleted\n"
            "hint: leave out --delete-model; it is for folders that train_model wrote"
        )
    return mark


def drop_weights(folder: Path) -> None:
    """Delete the files of a tuned model, and its place on scratch; the folder itself is what Snakemake looks for.

    Of links the links alone go, and whatever the mark does not name stays.
    """
    names = [name for name in check_is_tuned(folder)["files"] if Path(name).name == name]
    for name in names:
        path = folder / name
        place = path.readlink().parent if path.is_symlink() else None
        if path.is_symlink() or path.is_file():
            path.unlink()
        if place is not None and is_scratch_of(place, folder):
            shutil.rmtree(place, ignore_errors=True)
    for name in (MARK, ".snakemake_timestamp"):
        (folder / name).unlink(missing_ok=True)
