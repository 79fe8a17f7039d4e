"""Functions that run train_model on the tiny checkpoint, and what its models are compared by."""

import json

import numpy as np
import pytest

import train_model

SETTINGS = {
    "kind": "full",
    "learning_rate": 3e-3,
    "epochs": 2,
    "batch_size": 4,
    "schedule": "linear",
    "warmup_ratio": 0.1,
    "weight_decay": 0.0,
    "clip": 1.0,
    "precision": "auto",
    "seed": 1,
}

LORA = {"kind": "lora", "rank": 2, "alpha": 4, "modules": ["q_proj"], "epochs": 6}


@pytest.fixture
def tune(tmp_path, checkpoint, examples):
    """Give a function that runs the program and returns the folder with model/ and record.json."""

    def run(name="run", *options, data=examples / "choice" / "train.parquet", start=checkpoint, **changes):
        train_model.main(
            [
                *options,
                "--checkpoint",
                str(start),
                "--examples",
                str(data),
                "--settings",
                json.dumps(SETTINGS | changes),
            ]
            + ["--output", str(tmp_path / name / "model"), "--record", str(tmp_path / name / "record.json")]
        )
        return tmp_path / name

    return run


def apart(ours, theirs):
    return [ours[name] - theirs[name] for name in theirs]


@pytest.fixture
def stream(tmp_path):
    """Write the training tokens of a corpus and give their file."""
    np.save(tmp_path / "train.npy", np.random.default_rng(0).integers(1, 300, 2000).astype(np.uint16))
    return tmp_path / "train.npy"


def weights(folder):
    return (folder / "model" / "model.safetensors").read_bytes()


def start_options(folder):
    return ["--start", str(folder / "model"), "--start-record", str(folder / "record.json")]
