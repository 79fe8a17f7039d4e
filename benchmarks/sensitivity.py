"""Sensitivity of a checkpoint: all of it against its forward passes alone.

Compared: what scripts/measure_sensitivity.py does once the model is in memory (tokenising and padding the passages,
drawing noise, adding and undoing it, losses and their errors) for 5 scales x 5 seeds x 3 normalisations, with as many
readings, and one more, of the same padded batches by the same model and nothing else: `model(input_ids=...)` with its
logits for every token, in the same order of batches. The passages are the nursery's held-out documents. Left out on
both sides: loading the model and its tokenizer. Equal: one thread, fp32. Timing: in turns, medians, see timing.py.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from subjects import Subject, print_rows, subjects
from timing import row, take_turns

from measure_sensitivity import row_of, sensitivity
from ripeness.data.nursery.world import heldout_documents
from ripeness.models.forward.running_text import Passages, passage_losses, read_passages

BATCH_TOKENS = 4096  # the default of scripts/measure_sensitivity.py
SCALES = [0.01, 0.03, 0.1, 0.3, 1.0]
SETTINGS = {"noise": dict.fromkeys(("init", "relative", "absolute"), SCALES), "seeds": [0, 1, 2, 3, 4], "bits": []}
N_READINGS = 1 + 3 * len(SCALES) * len(SETTINGS["seeds"])


def passages_of(subject: Subject, n_items: int) -> Passages:
    """Held-out documents as a model reads them."""
    rows = [{"item": str(n), "text": text} for n, text in enumerate(heldout_documents(n_items, seed=0))]
    return read_passages(subject.model, subject.tokenizer, rows, batch_tokens=BATCH_TOKENS)


def ours(subject: Subject, n_items: int, start: Path | None) -> list[dict[str, Any]]:
    """Rows of all perturbations."""
    passages = passages_of(subject, n_items)

    def read() -> dict[str, list[float]]:
        return {"heldout": passage_losses(subject.model, passages)}

    before = read()["heldout"]
    found = sensitivity(subject.model, read, SETTINGS, start)
    return [place | row_of(passages, before, losses["heldout"]) for place, losses in found]


@torch.inference_mode()
def forward_passes(subject: Subject, passages: Passages) -> int:
    """Read all batches as often as there are losses; returns how many readings that were."""
    for _ in range(N_READINGS):
        for batch in passages.batches:
            subject.model(input_ids=batch.tokens, use_cache=False, logits_to_keep=batch.targets.shape[1])
    return N_READINGS


def compare(subject: Subject, options: argparse.Namespace, *, n_items: int) -> dict:
    """One row of the table; RuntimeError where a perturbation is missing."""
    start = options.checkpoint.parent / "step0"
    start = start if start.is_dir() else None
    passages = passages_of(subject, n_items)
    times, results = take_turns(
        {
            "ours": lambda: lambda: ours(subject, n_items, start),
            "theirs": lambda: lambda: forward_passes(subject, passages),
        },
        options.repeats,
        keeping=("ours", "theirs"),
    )
    if len(results["ours"]) != N_READINGS - 1:
        raise RuntimeError(f"{len(results['ours'])} perturbations of {subject.name}, not {N_READINGS - 1}")
    n_tokens = sum(passages.n_tokens)
    return row(
        "sensitivity", subject.name, "5 scales, 5 seeds, 3 normalisations", unit="s", target="<= 1.5",
        ours=times["ours"], theirs=times["theirs"], ratio=times["ours"] / times["theirs"],
        note=f"{n_items} passages, {n_tokens} tokens, read {N_READINGS} times; theirs: the forward passes alone",
    )  # fmt: skip


def run(options: argparse.Namespace) -> list[dict]:
    """One row: the nursery, which comes first."""
    return [compare(next(subjects(options)), options, n_items=2 if options.small else 100)]


if __name__ == "__main__":
    print_rows(run, __doc__)
