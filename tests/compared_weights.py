"""Copies of a checkpoint with changed weights, and what their digests say."""

import shutil

import pytest
from safetensors.torch import load_file, save_file

from ripeness.models.fingerprints import read_weights
from ripeness.study.same_weights import partly, same

FILE = "model.safetensors"


@pytest.fixture
def folder(tmp_path, checkpoint):
    return shutil.copytree(checkpoint, tmp_path / "a")


def changed(folder, name, change, **metadata):
    """A folder next to it whose tensors are changed in place, or replaced."""
    other = folder.parent / name
    other.mkdir()
    tensors = load_file(folder / FILE)
    tensors = change(tensors) or tensors
    save_file(tensors, other / FILE, metadata={"format": "pt"} | metadata)
    return other


def alike(*folders):
    records = {str(number): read_weights(folder) for number, folder in enumerate(folders)}
    return same(records), partly(records)


def as_type(dtype):
    return lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()}


def with_other_norms(tensors):
    return {name: tensor * 1.5 if tensor.ndim == 1 else tensor for name, tensor in tensors.items()}


def nudged(tensors):
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] += 1e-6


def files(*parts):
    return {"kind": "files", "parts": list(parts), "rest": []}
