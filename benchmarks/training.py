"""Tuning: ours against SFTTrainer of TRL.

Compared: `train`, which scripts/train_model.py runs, with `SFTTrainer.train`. Equal: the same weights at the start,
the same real examples (RTE, MNLI), one epoch, AdamW at a linear rate without warm-up, clipping at 1, batches of 8
examples, loss on the answer and the end-of-text token only, fp32, no gradient checkpointing, no logging, saving or
evaluation, one thread. TRL runs in all of WAYS: padded batches; its packing (rows of as many tokens as 8 examples have
on average); its padding-free batches. That both learn the same is checked on one batch of 8:
loss, and weights after a step. Timing: `train` only, tokenising and copying left out on both sides; in turns, medians,
see timing.py.

Share of peak: the FLOPs of a whole forward and backward pass, of which ours leaves out most of the last layer: 6 x
weights beside the embedding x tokens (without padding) + 6 x vocabulary x hidden x answer tokens + 6 x layers x hidden
x the sum of squared lengths (causal attention). The peak is that of the fastest product of two square matrices of the
machine in the same dtype.
"""

import argparse
import copy
import statistics
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from subjects import BIG, NURSERY, ROOM, SMALL, Subject, entailment, print_rows, subjects
from timing import matmul_peak, row, take_turns

from ripeness.models.batching import Example, encode_examples
from ripeness.models.tokens import end_of_text
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import train

BATCH = 8
SETTINGS = {
    "kind": "full", "learning_rate": 1e-4, "epochs": 1, "batch_size": BATCH, "schedule": "linear", "warmup_ratio": 0.0,
    "weight_decay": 0.0, "clip": 1.0, "precision": "fp32", "seed": 1,
}  # fmt: skip
WAYS = {"padded": {}, "packed": {"packing": True}, "padding-free": {"padding_free": True, "max_length": None}}
N_ROWS = {NURSERY: (320, ">= 5"), SMALL: (40, ">= 5"), BIG: (64, ">= 1.8")}  # examples, and what is wanted
SETS = (("rte", "default"), ("mnli", "default"), ("mnli", "instruct"))  # the last begin all alike
TOLERANCE = 1e-4  # between losses on the same batch
SQUARES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}  # sizes of the matrices that the peak is measured with
Rows = list[tuple[str, str, str]]


def ours(subject: Subject, examples: list[Example], precision: str) -> Callable[[], Any]:
    """Prepare a training by scripts/ripeness; returns its model and loss."""
    model, settings = copy.deepcopy(subject.model), read_settings(SETTINGS | {"precision": precision})

    def work() -> tuple[Any, float]:
        losses, *_ = train(model, examples, settings, pad=end_of_text(subject.tokenizer))
        return model, losses[-1]

    return work


def trl(subject: Subject, rows: Rows, way: str, precision: str, *, row_tokens: int) -> Callable[[], Any]:
    """Prepare a training by TRL; returns its model and loss."""
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    model, tokenizer = copy.deepcopy(subject.model), copy.deepcopy(subject.tokenizer)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    packed = way == "packed"
    limit = {"max_length": row_tokens if packed else ROOM}
    config = SFTConfig(
        output_dir=tempfile.gettempdir(), per_device_train_batch_size=1 if packed else BATCH, num_train_epochs=1,
        learning_rate=SETTINGS["learning_rate"], lr_scheduler_type="linear", warmup_steps=0, weight_decay=0.0,
        max_grad_norm=1.0, completion_only_loss=True, bf16=precision == "bf16",
        gradient_checkpointing=False, use_cpu=subject.model.device.type == "cpu", dataloader_pin_memory=False,
        logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, seed=1, **limit | WAYS[way],
    )  # fmt: skip
    data = Dataset.from_list([{"prompt": prompt, "completion": answer} for _, prompt, answer in rows])
    trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)

    def work() -> tuple[Any, float]:
        return trainer.model, trainer.train().training_loss

    return work


def check_equal(subject: Subject, rows: Rows, examples: list[Example]) -> None:
    """RuntimeError where the loss of a batch, or the weights after a step on it, are not those of TRL.

    Of the weights the mean counts: where a gradient is no more than rounding, AdamW still takes a full step.
    """
    model, loss = ours(subject, examples[:BATCH], "fp32")()
    other, other_loss = trl(subject, rows[:BATCH], "padded", "fp32", row_tokens=ROOM)()
    flat, other_flat = (torch.cat([w.flatten() for w in m.parameters()]) for m in (model, other))
    steps = (flat - other_flat).abs().mean().item() / SETTINGS["learning_rate"]
    if abs(loss - other_loss) > TOLERANCE or steps > 0.01:
        raise RuntimeError(f"{subject.name}: loss {loss} and TRL's {other_loss}; weights {steps} steps apart")


def flops(subject: Subject, examples: list[Example]) -> float:
    """Floating-point operations that a training of one epoch needs, forward and backward, padding not counted."""
    config, lengths = subject.model.config, [len(example.tokens) for example in examples]
    weights = subject.model.named_parameters()
    inside = sum(w.numel() for name, w in weights if "embed" not in name and "lm_head" not in name)
    answers = sum(target >= 0 for example in examples for target in example.targets)
    attention = config.num_hidden_layers * config.hidden_size * sum(length**2 for length in lengths)
    return 6 * (inside * sum(lengths) + config.vocab_size * config.hidden_size * answers + attention)


def compare(
    subject: Subject, rows: Rows, dataset: str, options: argparse.Namespace, *, target: str, precision: str = "fp32"
) -> list[dict]:
    """Rows of the table: examples and tokens in a second, and the share of the machine's peak."""
    examples = encode_examples(rows, subject.tokenizer, max_length=ROOM)
    n_tokens = sum(len(example.tokens) for example in examples)
    row_tokens = min(ROOM, round(BATCH * statistics.mean(len(example.tokens) for example in examples)))
    contenders = {way: lambda way=way: trl(subject, rows, way, precision, row_tokens=row_tokens) for way in WAYS}
    times, _ = take_turns({"ours": lambda: ours(subject, examples, precision)} | contenders, options.repeats)
    best = min(WAYS, key=times.__getitem__)
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    peak = matmul_peak(dtype, (64,) if options.small else SQUARES[subject.model.device.type])
    about = {"model": subject.name, "unit": "examples/s", "target": target}
    note = f"{len(rows)} examples of {n_tokens / len(rows):.0f} tokens"
    found = [
        row("training", setting=f"{dataset}, TRL {way}", ours=len(rows) / times["ours"], theirs=len(rows) / times[way],
            ratio=times[way] / times["ours"], note=note, **about)
        for way in WAYS
    ]  # fmt: skip
    units = {
        "tokens/s": (n_tokens, f"TRL {best}"),
        "share of peak": (flops(subject, examples) / peak, f"peak {peak / 1e9:.4g} GFLOP/s in {precision}"),
    }
    return found + [
        row("training", subject.name, dataset, unit=unit, ours=amount / times["ours"], theirs=amount / times[best],
            ratio=times[best] / times["ours"], target="", note=note)
        for unit, (amount, note) in units.items()
    ]  # fmt: skip


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of all models on all sets; a few short steps where the model is large, two sets where it is to be small."""
    found = []
    for subject in subjects(options):
        n_rows, target = N_ROWS[subject.name]
        for dataset, form in SETS[1:] if options.small else SETS:
            rows = entailment(options, dataset, 2 if options.small else n_rows, form)
            check_equal(subject, rows, encode_examples(rows, subject.tokenizer, max_length=ROOM))
            name = dataset if form == "default" else f"{dataset} ({form})"
            found += compare(subject, rows, name, options, target=target)
    return found


if __name__ == "__main__":
    print_rows(run, __doc__)
