"""Tuning by each kind: seconds of a step against `full` in the same run.

The same weights at the start, the same real examples (RTE), batches of 8, fp32, one thread; `train` only, with what it
attaches and merges. In turns, medians, see timing.py. The ratio is that of seconds a step, so that less is better:
at most 1.3 where weights are changed in place or virtual tokens stand before texts, 2 for DoRA, AdaLoRA and OFT.
"""

import argparse
import copy
from collections.abc import Callable
from itertools import islice
from typing import Any

from subjects import ROOM, Subject, entailment, print_rows, subjects
from timing import row, take_turns
from transformers import PreTrainedModel

from ripeness.models.batching import Example, encode_examples
from ripeness.models.methods.attached import State
from ripeness.models.methods.register import attach
from ripeness.models.tokens import end_of_text
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import train

BATCH = 8
SHARED = {"learning_rate": 1e-4, "epochs": 1, "batch_size": BATCH, "warmup_ratio": 0.0, "precision": "fp32", "seed": 1}
LORA: dict[str, Any] = {"kind": "lora", "rank": 8, "alpha": 16}
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "last block": ({"kind": "freeze", "blocks": 1}, "<= 1.3"),
    "norms": ({"kind": "freeze", "norms": True}, "<= 1.3"),
    "lora": (LORA, "<= 1.3"),
    "rslora": (LORA | {"variant": "rslora"}, "<= 1.3"),
    "pissa": (LORA | {"variant": "pissa"}, "<= 1.3"),
    "olora": (LORA | {"variant": "olora"}, "<= 1.3"),
    "quantised": (LORA | {"quantised": "nf4"}, "<= 1.3"),
    "dora": (LORA | {"variant": "dora"}, "<= 2"),
    "adalora": (LORA | {"kind": "adalora", "alpha": 12}, "<= 2"),
    "ia3": ({"kind": "ia3"}, "<= 1.3"),
    "oft": ({"kind": "oft", "block_size": 8}, "<= 2"),
    "adapter": ({"kind": "adapter", "size": 8}, "<= 1.3"),
    "adapter, feed-forward": ({"kind": "adapter", "size": 16, "places": "feed-forward"}, "<= 1.3"),
    "adapter, dropped": ({"kind": "adapter", "size": 8, "drop": 1}, "<= 1.3"),
    "fusion": ({"kind": "fusion", "of": {"method": "adapter", "datasets": ["a", "b", "c"]}}, "<= 1.3"),
    "prefix": ({"kind": "prefix", "tokens": 8}, "<= 1.3"),
    "prefix, encoder": ({"kind": "prefix", "tokens": 8, "encoder": 64}, "<= 1.3"),
    "prompt": ({"kind": "prompt", "tokens": 8}, "<= 1.3"),
    "P-tuning": ({"kind": "prompt", "tokens": 8, "encoder": 64}, "<= 1.3"),
    "peft HRA": ({"kind": "peft", "type": "HRA", "options": {"r": 8}}, ""),
}


def tuned(subject: Subject, examples: list[Example], kind: dict[str, Any]) -> Callable[[], Any]:
    """Prepare a training; returns how many numbers its state has."""
    model, settings = copy.deepcopy(subject.model), read_settings(SHARED | kind)
    others = [adapters(subject.model)] * len(kind["of"]["datasets"]) if "of" in kind else []

    def work() -> int:
        state = train(model, examples, settings, pad=end_of_text(subject.tokenizer), others=others).state
        return sum(tensor.numel() for tensor in state.values()) if state else model.num_parameters()

    return work


def adapters(model: PreTrainedModel) -> State:
    """Give the state of adapters as they start, which is as much work as of any."""
    state = attach(copy.deepcopy(model), read_settings(SHARED | {"kind": "adapter", "size": 8})).state()
    assert state is not None
    return state


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of each kind on the nursery's checkpoint and on a random model of its size with a common vocabulary."""
    of_both = islice(subjects(options), 1 if options.small else 2)
    return [found for subject in of_both for found in of_subject(subject, options)]


def of_subject(subject: Subject, options: argparse.Namespace) -> list[dict]:
    """Rows of one model."""
    rows = entailment(options, "rte", 16 if options.small else 96)
    examples = encode_examples(rows, subject.tokenizer, max_length=ROOM)
    contenders = {"full": lambda: tuned(subject, examples, {"kind": "full"})}
    contenders |= {name: lambda kind=kind: tuned(subject, examples, kind) for name, (kind, _) in KINDS.items()}
    times, sizes = take_turns(contenders, options.repeats, keeping=contenders)
    steps = -(-len(examples) // BATCH)
    return [
        row("methods", subject.name, name, unit="s/step", ours=times[name] / steps, theirs=times["full"] / steps,
            ratio=times[name] / times["full"], target=target, note=f"{sizes[name]} numbers saved of {sizes['full']}")
        for name, (_, target) in KINDS.items()
    ]  # fmt: skip


if __name__ == "__main__":
    print_rows(run, __doc__)
