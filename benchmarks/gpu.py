"""A model of the shape of OLMo-1B on a GPU, with random weights: tuning and multiple choice in bf16.

Compared and made equal as in training.py and prediction.py, with these differences: forward passes in bf16 by
autocast (TRL by its `bf16=True`, the harness with weights in bf16), and seconds are those of a clock, with all kernels
waited for. The aim for tuning is 40 % of the rate of the fastest bf16 product of two square matrices. Without a GPU
nothing is measured and the table says so; `--small` runs a tiny model on whatever there is.
"""

import argparse
from pathlib import Path

import prediction
import torch
import training
from subjects import TINY, Subject, entailment, gpt_neox_tokenizer, print_rows
from timing import row
from transformers import OlmoConfig, OlmoForCausalLM

SHAPE = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 16}
VOCABULARY = 50304
NAME = "OLMo-1B shape (random)"


def subject_of(options: argparse.Namespace) -> Subject:
    """The model, on the GPU where there is one; weights in fp32, as the programs load them."""
    torch.manual_seed(0)
    tokenizer = gpt_neox_tokenizer(options)
    shape, size = (TINY, len(tokenizer)) if options.small else (SHAPE, VOCABULARY)
    config = OlmoConfig(vocab_size=size, max_position_embeddings=2048, tie_word_embeddings=True, **shape)
    config.update({"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = OlmoForCausalLM(config).eval()
    return Subject(NAME, Path(), model, tokenizer)


def not_measured() -> list[dict]:
    """The rows without numbers."""
    settings = {"rte": "share of peak", "arc_easy, 4-shot": "items/s", "arc_easy, 0-shot": "items/s"}
    return [
        row("gpu", NAME, setting, ours=None, theirs=None, unit=unit, ratio=None, target="", note="not measured: no GPU")
        for setting, unit in settings.items()
    ]


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of tuning and of multiple choice."""
    if not torch.cuda.is_available() and not options.small:
        return not_measured()
    subject, n = subject_of(options), 2 if options.small else 256
    rows = training.compare(subject, entailment(options, "rte", n), "rte", options, target="", precision="bf16")
    rows[-1] |= {"ratio": rows[-1]["ours"], "target": ">= 0.4", "note": rows[-1]["note"] + "; the ratio is our share"}
    for n_shots in (4, 0):
        rows.append(prediction.compare(subject, options, n_items=n, n_shots=n_shots, precision="bf16"))
    return [found | {"benchmark": "gpu"} for found in rows]


if __name__ == "__main__":
    print_rows(run, __doc__)
