"""Open questions: ours against `model.generate` of transformers.

Compared: `build_prompts` and `generate`, which scripts/predict.py runs, with the plain loop that many evaluations
have: batches in the order given, padded on the left, `model.generate` greedy up to the same number of new tokens, texts
cut at the stop text afterwards. Equal: the same model object, prompts, one thread, fp32, tokenisation included. The
loop has batches of PLAIN, the size with which `Trainer` of transformers evaluates unless told otherwise; the ratio to
the loop at the size that is best for it, searched among SIZES, stands in the note. Ours has its default. Texts are
compared in the same run. Timing: in turns, medians, see timing.py.

What there is to save: examples are read once; a text ends at the stop text and makes room for another; steps of many
texts cost little more than steps of few. A random model never stops, so without examples little is left there.
"""

import argparse
import copy
import logging

import torch
from subjects import NURSERY, Subject, gsm8k, nursery_summary, print_rows, shot_texts, subjects
from timing import best_of, row, take_turns

from ripeness.measure.generation import generate
from ripeness.measure.prompts import SEPARATOR, build_prompts
from ripeness.models.context_limits import context_length
from ripeness.models.next_token import Stopping
from ripeness.models.token_healing import text_of

BATCH_TOKENS = 4096  # the default of scripts/predict.py
PLAIN = 8
SIZES = (4, 8, 16, 32, 64)


def ours(subject: Subject, examples: list[dict], shots: list[str], stopping: Stopping) -> list[str]:
    """Texts as scripts/predict.py writes them."""
    prompts = build_prompts(
        subject.tokenizer, examples, shots, separator=SEPARATOR, room=context_length(subject.model.config),
        answer_room=stopping.max_new_tokens,
    )  # fmt: skip
    contexts = [prompt.context for prompt in prompts]
    return generate(subject.model, subject.tokenizer, contexts, stopping, batch_tokens=BATCH_TOKENS)


def plain_loop(
    subject: Subject, examples: list[dict], shots: list[str], stopping: Stopping, batch_size: int
) -> list[str]:
    """Texts by `model.generate`."""
    tokenizer = copy.deepcopy(subject.tokenizer)
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    prompts = [SEPARATOR.join([*shots, row["prompt"]]).rstrip(" ") for row in examples]
    texts = []
    for start in range(0, len(prompts), batch_size):
        inputs = tokenizer(prompts[start : start + batch_size], padding=True, return_tensors="pt")
        with torch.inference_mode():
            output = subject.model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], do_sample=False,
                max_new_tokens=stopping.max_new_tokens, pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
        new = output[:, inputs["input_ids"].shape[1] :]
        written = [text_of(tokenizer, row).split(tokenizer.eos_token)[0] for row in new.tolist()]
        texts += [text.split(stopping.texts[0])[0].strip() for text in written]
    return texts


def task_of(
    subject: Subject, options: argparse.Namespace, n_shots: int
) -> tuple[str, list[dict], list[dict], Stopping]:
    """What a model is asked: the nursery what it has learned, others real problems, fewer where prompts are long."""
    if subject.name != NURSERY:
        n_items, new_tokens = (2, 4) if options.small else (16 if n_shots else 48, 60)
        return "gsm8k", gsm8k(options, "test", n_items), gsm8k(options, "train", 4), Stopping(new_tokens, ("\n\n",))
    n_items = 2 if options.small else 100
    return "nursery-summary", nursery_summary("test", n_items), nursery_summary("train", 4), Stopping(8, ("\n",))


def compare(subject: Subject, options: argparse.Namespace, n_shots: int) -> dict:
    """One row of the table; RuntimeError where texts differ."""
    dataset, examples, pool, stopping = task_of(subject, options, n_shots)
    shots = shot_texts(pool[:n_shots])
    asked = (subject, examples, shots, stopping)
    best = best_of(SIZES, len(examples), lambda n: plain_loop(*asked, n))
    logging.info("%s, %d-shot: model.generate is fastest with batches of %d", subject.name, n_shots, best)
    contenders = {"ours": lambda: lambda: ours(*asked), "theirs": lambda: lambda: plain_loop(*asked, PLAIN)}
    if best != PLAIN:
        contenders["best"] = lambda: lambda: plain_loop(*asked, best)
    times, texts = take_turns(contenders, options.repeats)
    differing = sum(a != b for a, b in zip(texts["ours"], texts["theirs"], strict=True))
    if differing:
        raise RuntimeError(f"{differing} texts of {subject.name}, {n_shots}-shot, differ")
    n_items = len(examples)
    return row(
        "generation", subject.name, f"{dataset}, {n_shots}-shot", ours=n_items / times["ours"],
        theirs=n_items / times["theirs"], unit="items/s", ratio=times["theirs"] / times["ours"], target=">= 2",
        note=f"{n_items} items, up to {stopping.max_new_tokens} new tokens; batches of {PLAIN}; at best ({best}) "
        f"{times.get('best', times['theirs']) / times['ours']:.2g}; texts equal",
    )  # fmt: skip


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of all models, with 4 examples and without."""
    return [compare(subject, options, n_shots) for subject in subjects(options) for n_shots in (4, 0)]


if __name__ == "__main__":
    print_rows(run, __doc__)
