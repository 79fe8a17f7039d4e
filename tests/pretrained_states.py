"""Pre-training states and checkpoints of a tiny model, made by the programs."""

import json
from pathlib import Path

import pytest

import build_corpus
import pretrain_checkpoint
import pretrain_state

SETTINGS = {
    "architecture": "llama",
    "hidden_size": 16,
    "n_layers": 1,
    "n_heads": 2,
    "intermediate_size": 32,
    "sequence_length": 16,
    "batch_size": 4,
    "learning_rate": 0.01,
    "warmup_steps": 3,
    "weight_decay": 0.1,
    "betas": [0.9, 0.95],
    "clip": 1.0,
    "initial_std": 0.1,
    "embedding_std": 0.5,
    "seed": 3,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Build a corpus of 3,000 tokens."""
    folder = tmp_path_factory.mktemp("corpus") / "world"
    recipe = {"world": {"seed": 0}, "vocabulary_size": 512, "n_tokens": 3000, "n_heldout": 5}
    build_corpus.main(["--recipe", json.dumps(recipe), "--output", str(folder)])
    return folder


def pretrained(settings: dict, corpus: Path, output: Path, until: int, resume: Path | None = None) -> Path:
    """Write the training state at a step."""
    arguments = ["--settings", json.dumps(settings), "--corpus", str(corpus), "--until", str(until)]
    arguments += ["--resume", str(resume)] if resume else []
    pretrain_state.main([*arguments, "--output", str(output)])
    return output


def pretrained_checkpoint(
    settings: dict, corpus: Path, output: Path, described: dict, earlier: Path | None = None, *options: str
) -> Path:
    """Write the folder of a checkpoint."""
    arguments = ["--settings", json.dumps(settings), "--corpus", str(corpus), "--checkpoint", json.dumps(described)]
    arguments += ["--state", str(earlier)] if earlier else []
    pretrain_checkpoint.main([*arguments, "--output", str(output), *options])
    return output
