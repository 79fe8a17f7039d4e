"""A copy of a checkpoint that tests damage, and how it is refused."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from ripeness.models.gate.folder import check_folder
from ripeness.runtime.errors import UserError

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path, checkpoint):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def change_tensors(folder, change):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def change_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def refused(folder):
    """Return the message of the refusal, which names the folder and gives a hint."""
    with pytest.raises(UserError) as error:
        check_folder(folder)
    message = str(error.value)
    assert message.startswith(f"the checkpoint {folder}: ")
    assert message.splitlines()[-1].startswith("hint: ")
    return message
