"""Probes of all kinds, and functions that let a model answer them."""

import json

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import predict

PASSAGES = ["the dog ran far away", "a cat sat on the mat é " * 9, "yes"]


@pytest.fixture
def probes(tmp_path, examples):
    pl.DataFrame({"item": ["p0", "p1", "p2"], "text": PASSAGES}).write_parquet(tmp_path / "text.parquet")
    choice = {"suite": "mine", "probe": "film", "kind": "choice", "format": "default", "shots": 0}
    return [
        choice | {"examples": str(examples / "choice" / "test.parquet")},
        choice
        | {"shots": 2, "separator": "\n\n"}
        | {role: str(examples / "choice" / f"{name}.parquet") for role, name in FILES.items()},
        choice
        | {"probe": "see", "kind": "generation", "max_new_tokens": 6, "stop": "\n"}
        | {"examples": str(examples / "text" / "test.parquet")},
        {"suite": "running", "probe": "prose", "kind": "text", "format": "text", "shots": 0}
        | {"examples": str(tmp_path / "text.parquet")},
    ]


FILES = {"examples": "test", "shot_examples": "shots"}


@pytest.fixture
def predicted(tmp_path, checkpoint):
    """Give a function that runs the program on probes and returns its table."""

    def predicted(probes, *options, name="predictions"):
        output = tmp_path / f"{name}.parquet"
        predict.main(["--model", str(checkpoint), "--probes", json.dumps(probes), "--output", str(output), *options])
        return pl.read_parquet(output)

    return predicted


@pytest.fixture
def reader(checkpoint):
    """Give the log-likelihood of an answer, read as one would by hand."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)

    @torch.inference_mode()
    def logp(prompt, answer):
        context, whole = tokenizer(prompt)["input_ids"], tokenizer(prompt + answer)["input_ids"]
        logps = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        return sum(logps[i - 1, whole[i]].item() for i in range(len(context), len(whole)))

    return logp
