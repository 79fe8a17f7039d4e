"""Multiple choice: ours against lm-evaluation-harness.

Compared: `build_prompts` and `option_scores`, which scripts/predict.py runs, with `HFLM.loglikelihood`, which the
evaluator of lm-evaluation-harness runs. Both get the same model object in memory and the same texts (questions of
ARC-Easy with 0 or 4 examples before them; options of several tokens), tokenise them and return a log-likelihood for
every option. Left out on both sides: loading, scoring, metrics; of ours also the trial whether a model can share
contexts, which is made once a process. Equal: one thread, fp32, the same items; the harness has the batch size that is
best for it on these items, searched first among SIZES, ours its default. The log-likelihoods are compared in the same
run. Timing: in turns, medians, see timing.py.
"""

import argparse
import copy
import logging
from collections.abc import Callable

import torch
from subjects import BIG, Subject, arc_easy, print_rows, shot_texts, subjects
from timing import best_of, row, take_turns

from ripeness.measure.options import option_scores
from ripeness.measure.prompts import SEPARATOR, build_prompts
from ripeness.models.context_limits import context_length
from ripeness.models.load import autocast

BATCH_TOKENS = 4096  # the default of scripts/predict.py
SIZES = (1, 4, 8, 16, 32, 64)
TOLERANCE = {"fp32": 1e-3, "bf16": float("inf")}  # nats; rounding in bf16 is reported only
TARGETS = {4: ">= 8", 0: ">= 2"}


def ours(subject: Subject, examples: list[dict], shots: list[str], precision: str) -> list[float]:
    """Log-likelihoods of all options."""
    with autocast(subject.model.device, precision):
        prompts = build_prompts(
            subject.tokenizer, examples, shots, separator=SEPARATOR, room=context_length(subject.model.config)
        )
        scores = option_scores(subject.model, prompts, batch_tokens=BATCH_TOKENS)
    return [score for options in scores for score in options]


def harness(subject: Subject, examples: list[dict], shots: list[str], precision: str) -> Callable[[int], list[float]]:
    """The same by lm-evaluation-harness, as a function of its batch size."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = subject.model if precision == "fp32" else copy.deepcopy(subject.model).to(torch.bfloat16)
    lm = HFLM(pretrained=model, tokenizer=copy.deepcopy(subject.tokenizer), max_length=context_length(model.config))
    pairs = [(SEPARATOR.join([*shots, row["prompt"]]), option) for row in examples for option in row["choices"]]
    requests = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]

    def theirs(batch_size: int) -> list[float]:
        lm.batch_size_per_gpu = batch_size
        return [score for score, _ in lm.loglikelihood(requests, disable_tqdm=True)]

    return theirs


def compare(
    subject: Subject, options: argparse.Namespace, *, n_items: int, n_shots: int, precision: str = "fp32"
) -> dict:
    """One row of the table; RuntimeError where the two disagree."""
    examples, shots = arc_easy(options, "test", n_items), shot_texts(arc_easy(options, "train", n_shots))
    theirs = harness(subject, examples, shots, precision)
    size = best_of(SIZES, sum(len(row["choices"]) for row in examples), theirs)
    logging.info("%s, %d-shot: lm-evaluation-harness is fastest with batches of %d", subject.name, n_shots, size)
    times, results = take_turns(
        {
            "ours": lambda: lambda: ours(subject, examples, shots, precision),
            "theirs": lambda: lambda: theirs(size),
        },
        options.repeats,
    )
    apart = max(abs(a - b) for a, b in zip(results["ours"], results["theirs"], strict=True))
    if apart > TOLERANCE[precision]:
        raise RuntimeError(f"log-likelihoods differ by {apart} nats on {subject.name}, {n_shots}-shot")
    return row(
        "prediction", subject.name, f"arc_easy, {n_shots}-shot", unit="items/s", target=TARGETS[n_shots],
        ours=n_items / times["ours"], theirs=n_items / times["theirs"], ratio=times["theirs"] / times["ours"],
        note=f"{n_items} items; batches of {size}; log-likelihoods within {apart:.0e} nats",
    )  # fmt: skip


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of all models, with 4 examples and without; few items where the model is large."""
    rows = []
    for subject in subjects(options):
        n_items = 2 if options.small else 16 if subject.name == BIG else 100
        rows += [compare(subject, options, n_items=n_items, n_shots=n_shots) for n_shots in (4, 0)]
    return rows


if __name__ == "__main__":
    print_rows(run, __doc__)
