"""Tuning by LoRA, IA3 and a prefix: ours against peft's model in the `Trainer` of transformers.

Compared: `train`, which scripts/train_model.py runs, with `Trainer.train` of a model by `get_peft_model`. Equal: the
same weights at the start, the same real examples (RTE), one epoch, AdamW at a linear rate without warm-up, clipping at
1, padded batches of 8 (ours: packed), loss on the answer and the end-of-text token only, fp32, no logging, saving or
evaluation, one thread. What is put in and merged counts as training on both sides. That both learn the same is checked
on one batch of 8 where both start alike: not for a prefix, whose start is drawn.

The ratio is how many times as fast ours is. It is to be at least that of `full` in the same run.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from subjects import ROOM, Subject, entailment, print_rows, subjects
from timing import row, take_turns

from ripeness.models.batching import IGNORED, Example, encode_examples
from ripeness.models.tokens import end_of_text
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import train

BATCH = 8
SHARED = {"learning_rate": 1e-4, "epochs": 1, "batch_size": BATCH, "warmup_ratio": 0.0, "precision": "fp32", "seed": 1}
KINDS: dict[str, dict[str, Any]] = {
    "full": {"kind": "full"},
    "lora": {"kind": "lora", "rank": 8, "alpha": 16},
    "ia3": {"kind": "ia3"},
    "prefix": {"kind": "prefix", "tokens": 8},
}
ALIKE = ("full", "lora", "ia3")  # at the start
TOLERANCE = 1e-4  # between losses on the same batch


def ours(subject: Subject, examples: list[Example], kind: str) -> Callable[[], float]:
    """Prepare a training by scripts/ripeness; returns its last loss."""
    model, settings = copy.deepcopy(subject.model), read_settings(SHARED | KINDS[kind])
    return lambda: train(model, examples, settings, pad=end_of_text(subject.tokenizer)).losses[-1]


def peft_model(model: torch.nn.Module, kind: str) -> torch.nn.Module:
    """Put into a model what a kind trains, as peft does by itself."""
    from peft import IA3Config, LoraConfig, PrefixTuningConfig, get_peft_model

    configs = {
        "lora": LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        "ia3": IA3Config(
            target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"
        ),
        "prefix": PrefixTuningConfig(num_virtual_tokens=8, task_type="CAUSAL_LM"),
    }
    return get_peft_model(model, configs[kind]) if kind in configs else model


def theirs(subject: Subject, examples: list[Example], kind: str) -> Callable[[], float]:
    """Prepare a training by Trainer; returns its mean loss."""
    from transformers import PrinterCallback, Trainer, TrainingArguments

    plain, pad = copy.deepcopy(subject.model), end_of_text(subject.tokenizer)
    arguments = TrainingArguments(
        output_dir=tempfile.gettempdir(), per_device_train_batch_size=BATCH, num_train_epochs=1, seed=1,
        learning_rate=SHARED["learning_rate"], lr_scheduler_type="linear", warmup_steps=0, weight_decay=0.0,
        max_grad_norm=1.0, use_cpu=subject.model.device.type == "cpu", dataloader_pin_memory=False,
        logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, remove_unused_columns=False,
    )  # fmt: skip

    def padded(rows: list[Example]) -> dict[str, torch.Tensor]:
        longest = max(len(one.tokens) for one in rows)
        fill = [longest - len(one.tokens) for one in rows]
        return {
            "input_ids": torch.tensor([one.tokens + [pad] * n for one, n in zip(rows, fill, strict=True)]),
            "labels": torch.tensor([one.targets + [IGNORED] * n for one, n in zip(rows, fill, strict=True)]),
            "attention_mask": torch.tensor([[1] * (longest - n) + [0] * n for n in fill]),
        }

    def work() -> float:
        model = peft_model(plain, kind)
        trainer = Trainer(model=model, args=arguments, train_dataset=examples, data_collator=padded)
        trainer.remove_callback(PrinterCallback)
        loss = trainer.train().training_loss
        if kind in ("lora", "ia3"):
            model.merge_and_unload()
        return loss

    return work


def check_equal(subject: Subject, examples: list[Example]) -> None:
    """RuntimeError where the loss of the first batch is not that of Trainer."""
    for kind in ALIKE:
        found, expected = (one(subject, examples[:BATCH], kind)() for one in (ours, theirs))
        if abs(found - expected) > TOLERANCE:
            raise RuntimeError(f"{subject.name}, {kind}: loss {found} and Trainer's {expected}")


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of each kind on the nursery's checkpoint and on a random model of its size with a common vocabulary."""
    of_both = islice(subjects(options), 1 if options.small else 2)
    return [found for subject in of_both for found in of_subject(subject, options)]


def of_subject(subject: Subject, options: argparse.Namespace) -> list[dict]:
    """Rows of one model."""
    rows = entailment(options, "rte", 8 if options.small else 96)
    examples = encode_examples(rows, subject.tokenizer, max_length=ROOM)
    check_equal(subject, examples)
    contenders = {f"our {kind}": lambda kind=kind: ours(subject, examples, kind) for kind in KINDS}
    contenders |= {f"their {kind}": lambda kind=kind: theirs(subject, examples, kind) for kind in KINDS}
    times, _ = take_turns(contenders, options.repeats, keeping=[name for name in contenders if name.startswith("our")])
    steps = -(-len(examples) // BATCH)
    faster = {kind: times[f"their {kind}"] / times[f"our {kind}"] for kind in KINDS}
    return [
        row("peft_trainer", subject.name, kind, unit="s/step", ours=times[f"our {kind}"] / steps,
            theirs=times[f"their {kind}"] / steps, ratio=faster[kind],
            target="" if kind == "full" else f">= {faster['full']:.4g}", note="times as fast; wanted: as full")
        for kind in KINDS
    ]  # fmt: skip


if __name__ == "__main__":
    print_rows(run, __doc__)
