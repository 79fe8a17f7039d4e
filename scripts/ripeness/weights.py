"""Tuned weights on their way from training to measuring: on a node's scratch where there is one, gone once measured."""

import hashlib
import shutil
from pathlib import Path

from transformers import PreTrainedModel

from ripeness.errors import UserError
from ripeness.files import read_json, whole
from ripeness.models import TOKENIZER_FILES


def save_model(
    model: PreTrainedModel, checkpoint: Path, output: Path, weights: dict | None = None, scratch: Path | None = None
) -> None:
    """Write a tuned model as a folder of its own, with the tokenizer and checkpoint.json of where it came from.

    `weights` are those of a model that is spread over processes, put together. With `scratch`, a folder on this node,
    the files lie there, and the model's folder has links to them.
    """
    with whole(output) as folder:
        place = scratch_place(output, scratch) if scratch else folder
        model.save_pretrained(place, state_dict=weights)
        kept = [*TOKENIZER_FILES, "checkpoint.json"]
        # the text part of a model of several media has a config of its own, which transformers may not load as a model
        if model.config.model_type != read_json(checkpoint / "config.json").get("model_type"):
            kept.append("config.json")
        for name in kept:
            if (checkpoint / name).exists():
                shutil.copyfile(checkpoint / name, place / name)
        if scratch:
            folder.mkdir()
            for path in place.iterdir():
                (folder / path.name).symlink_to(path)


def scratch_place(output: Path, scratch: Path) -> Path:
    """An empty folder on scratch for this output alone; what an attempt that was cut off has left there is removed."""
    place = scratch.resolve() / f"ripeness-{hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]}"
    shutil.rmtree(place, ignore_errors=True)
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"the scratch folder {scratch} cannot be written: {error}\n"
            "hint: `scratch` of the profile is a folder on every node that takes GPU jobs, such as $TMPDIR"
        ) from None
    return place


def drop_weights(folder: Path) -> None:
    """Empty the folder of a model, and its place on scratch; the folder itself is what Snakemake looks for."""
    for path in folder.iterdir():
        if path.is_symlink():
            shutil.rmtree(path.resolve().parent, ignore_errors=True)
        path.unlink()
