"""Preferences, a reward model and a policy: ours against DPOTrainer, RewardTrainer and GRPOTrainer of TRL.

Compared: `train`, which scripts/train_model.py runs, with `train` of TRL's trainer. Equal: the same weights at the
start, the same real pairs (dpo_en_demo: prompts with a better and a worse answer, the shorter ones), one epoch, AdamW
at a linear rate without warm-up, clipping at 1, batches of 8 pairs, fp32, no gradient checkpointing, no logging, saving
or evaluation, one thread. Both take the log-probabilities of the start in the time that counts: TRL by a second model
in every step, or (precomputed) before the first one, as ours does. That both learn the same is checked on two batches:
the last loss.

A policy draws 8 texts of 16 tokens after each of 8 prompts in a round, learns from them by GRPO with a KL divergence to
the start, and is rewarded by the length of its texts in characters, so that no reward model counts. Texts are drawn by
chance and differ: that losses are those of TRL on the same texts is in tests/reference/test_policy.py.
"""

import argparse
import copy
import math
import tempfile
from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from subjects import BIG, NURSERY, ROOM, Subject, read_options, read_rows, subjects
from timing import row, take_turns

from ripeness.models.next_token import Sampling, Stopping
from ripeness.models.token_healing import Start
from ripeness.models.tokens import end_of_text
from ripeness.runtime.command_line import run as run_program
from ripeness.study.methods.reading import read_settings
from ripeness.study.objectives.policy import PolicyGoal
from ripeness.study.objectives.preferences import PreferenceGoal
from ripeness.study.objectives.reward import RewardGoal
from ripeness.study.scoring.rules import Rule
from ripeness.train.loop import train
from ripeness.train.objectives.drawn_texts import Drawing, Question
from ripeness.train.objectives.held_out import Asked
from ripeness.train.objectives.policy_objective import Policy
from ripeness.train.objectives.register import objective_of
from ripeness.train.objectives.rewards import Rewards

BATCH, SAMPLES, NEW_TOKENS = 8, 8, 16
SETTINGS = {
    "kind": "full", "learning_rate": 1e-5, "epochs": 1, "batch_size": BATCH, "schedule": "linear", "warmup_ratio": 0.0,
    "weight_decay": 0.0, "clip": 1.0, "precision": "fp32", "seed": 1,
}  # fmt: skip
BETA, KL_WEIGHT = 0.1, 0.05
LONGEST = 700  # characters of a prompt and an answer
AMOUNTS = {NURSERY: (64, 4), BIG: (16, 2)}  # pairs, and rounds of a policy
TARGETS = {"dpo": ">= 3", "dpo, precomputed": ">= 3", "reward": ">= 3", "grpo": ">= 4"}
TOLERANCE = 1e-3  # between the losses of the second batch, after a step


class Length(Rule):
    """A reward that differs from text to text: a remainder of the number of characters."""

    def reward(self, row: dict[str, Any], text: str) -> float:
        """Reward one text."""
        return len(text) % 8 / 8


def pairs(options: argparse.Namespace, n: int) -> list[dict[str, Any]]:
    """Prompts with a better and a worse answer, as render_examples would write them."""
    found = []
    for number, one in enumerate(read_rows(options, "dpo_en_demo", "train", 10**6)):
        prompt = "".join(f"{turn['from'].capitalize()}: {turn['value']}\n\n" for turn in one["conversations"])
        answers = [f" {one[side]['value'].strip()}" for side in ("chosen", "rejected")]
        if len(prompt) + max(map(len, answers)) < LONGEST and answers[0].split() != answers[1].split():
            found.append({"item": str(number), "prompt": f"{prompt}Assistant:", "choices": answers, "gold": 0})
    return found[:n]


def ours(subject: Subject, rows: list[dict[str, Any]], what: str) -> Callable[[], float]:
    """Prepare a training by scripts/ripeness; returns its last loss."""
    model, settings = copy.deepcopy(subject.model), read_settings(SETTINGS)
    if what == "grpo":
        objective: Any = policy(subject, rows)
        units: Any = list(objective.asked.questions)
    else:
        objective = objective_of(RewardGoal() if what == "reward" else PreferenceGoal(loss="dpo", beta=BETA))
        units = objective.units(rows, subject.tokenizer, max_length=ROOM)
    pad = end_of_text(subject.tokenizer)
    return lambda: train(model, units, settings, pad=pad, objective=objective).losses[-1]


def policy(subject: Subject, rows: list[dict[str, Any]]) -> Policy:
    """What a policy lowers that is rewarded by the length of its texts."""
    goal = PolicyGoal(reward="rule", kl_weight=KL_WEIGHT, samples=SAMPLES, max_kl=math.inf, tries=0)
    questions = [Question(Start(subject.tokenizer.encode(one["prompt"])), one) for one in rows]
    drawing = Drawing(subject.tokenizer, Stopping(NEW_TOKENS), Sampling())
    return Policy(goal, Asked(drawing, Rewards(Length()), questions, []), seed=1, batch_size=BATCH)


def theirs(subject: Subject, rows: list[dict[str, Any]], what: str) -> Callable[[], float]:
    """Prepare a training by TRL; returns its last loss."""
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback

    disable_progress_bars()
    tokenizer = copy.deepcopy(subject.tokenizer)
    tokenizer.pad_token = pad_of(tokenizer, rows)
    common = {
        "output_dir": tempfile.gettempdir(), "num_train_epochs": 1, "optim": "adamw_torch", "warmup_steps": 0,
        "learning_rate": SETTINGS["learning_rate"], "lr_scheduler_type": "linear", "weight_decay": 0.0,
        "max_grad_norm": 1.0, "logging_steps": 1, "save_strategy": "no", "report_to": "none", "disable_tqdm": True,
        "use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False, "seed": 1,
    }  # fmt: skip
    data = Dataset.from_list([columns_of(one, what) for one in rows])
    trainer = trainer_of(what)(subject, data, tokenizer, common)
    trainer.remove_callback(PrinterCallback)

    def work() -> float:
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry][-1]

    return work


def pad_of(tokenizer: Any, rows: list[dict[str, Any]]) -> str:
    """Find a token that no text has: where the end of text pads, TRL's reward model does not read the end of text."""
    texts = [text for one in rows for text in (one["prompt"], *one["choices"])]
    used = {token for tokens in tokenizer(texts)["input_ids"] for token in tokens} | {tokenizer.eos_token_id}
    return tokenizer.convert_ids_to_tokens(max(set(range(len(tokenizer))) - used))


def columns_of(one: dict[str, Any], what: str) -> dict[str, str]:
    """Make a row as the trainer reads it."""
    chosen, rejected = one["choices"]
    if what == "reward":
        return {"chosen": one["prompt"] + chosen, "rejected": one["prompt"] + rejected}
    return {"prompt": one["prompt"]} | ({} if what == "grpo" else {"chosen": chosen, "rejected": rejected})


def trainer_of(what: str) -> Callable[..., Any]:
    """The function that makes TRL's trainer."""
    return {"dpo": dpo, "dpo, precomputed": dpo_precomputed, "reward": reward, "grpo": grpo}[what]


def dpo(subject: Subject, data: Any, tokenizer: Any, common: dict[str, Any], **more: Any) -> Any:
    """DPOTrainer with a second model as the reference."""
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(
        per_device_train_batch_size=BATCH, beta=BETA, max_length=None, train_sampling_strategy="sequential",
        **common, **more,
    )  # fmt: skip
    models = copy.deepcopy(subject.model), copy.deepcopy(subject.model)
    return DPOTrainer(models[0], ref_model=models[1], args=config, train_dataset=data, processing_class=tokenizer)


def dpo_precomputed(subject: Subject, data: Any, tokenizer: Any, common: dict[str, Any]) -> Any:
    """DPOTrainer that takes the log-probabilities of the reference before the first step."""
    return dpo(subject, data, tokenizer, common, precompute_ref_log_probs=True)


def reward(subject: Subject, data: Any, tokenizer: Any, common: dict[str, Any]) -> Any:
    """RewardTrainer of a model with a linear layer that starts at zero."""
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    model = AutoModelForSequenceClassification.from_pretrained(subject.folder, num_labels=1, dtype=torch.float32)
    model.config.max_position_embeddings, model.config.pad_token_id = ROOM, tokenizer.pad_token_id
    torch.nn.init.zeros_(model.score.weight)
    config = RewardConfig(
        per_device_train_batch_size=BATCH, max_length=None, train_sampling_strategy="sequential", **common
    )
    return RewardTrainer(model, args=config, train_dataset=data, processing_class=tokenizer)


def grpo(subject: Subject, data: Any, tokenizer: Any, common: dict[str, Any]) -> Any:
    """GRPOTrainer that writes by `generate` of transformers."""
    from trl import GRPOConfig, GRPOTrainer

    config = GRPOConfig(
        per_device_train_batch_size=BATCH * SAMPLES, num_generations=SAMPLES, steps_per_generation=1, beta=KL_WEIGHT,
        max_completion_length=NEW_TOKENS, loss_type="grpo", model_init_kwargs={"dtype": "float32"}, **common,
    )  # fmt: skip
    return GRPOTrainer(
        str(subject.folder),
        reward_funcs=lambda completions, **_: [len(text) % 8 / 8 for text in completions],
        args=config,
        train_dataset=data,
        processing_class=tokenizer,
    )


def check_equal(subject: Subject, rows: list[dict[str, Any]], what: str) -> None:
    """RuntimeError where the loss of the second batch, after a step on the first, is not that of TRL.

    Ours reads a batch in another order than TRL, so that all rows of both batches are the same.
    """
    some = [rows[0] | {"item": str(number)} for number in range(2 * BATCH)]
    found, expected = ours(subject, some, what)(), theirs(subject, some, what)()
    if abs(found - expected) > TOLERANCE:
        raise RuntimeError(f"{subject.name}, {what}: loss {found} and TRL's {expected}")


def of_subject(subject: Subject, options: argparse.Namespace) -> list[dict]:
    """Rows of one model: pairs, or texts, in a second."""
    n_pairs, n_rounds = (BATCH, 1) if options.small else AMOUNTS[subject.name]
    rows = pairs(options, max(n_pairs, n_rounds * BATCH))
    found = []
    for what in TARGETS:
        some, unit = (rows[: n_rounds * BATCH], "samples/s") if what == "grpo" else (rows[:n_pairs], "pairs/s")
        own = what.split(",")[0]
        if what != "grpo":
            check_equal(subject, rows, own)
        contenders = {"ours": lambda: ours(subject, some, own), "theirs": lambda: theirs(subject, some, what)}  # noqa: B023
        times, _ = take_turns(contenders, options.repeats, keeping=["ours"])
        amount = len(some) * (SAMPLES if what == "grpo" else 1)
        speeds = {name: amount / taken for name, taken in times.items()}
        about = {"unit": unit, "target": TARGETS[what], "note": note_of(subject, some, what)}
        found.append(row("alignment", subject.name, what, ratio=speeds["ours"] / speeds["theirs"], **speeds, **about))
    return found


def note_of(subject: Subject, rows: list[dict[str, Any]], what: str) -> str:
    """Say how much was read."""
    lengths = [len(subject.tokenizer.encode(one["prompt"])) for one in rows]
    prompts = f"{len(rows)} prompts of {sum(lengths) / len(lengths):.0f} tokens"
    return f"{prompts}, {SAMPLES} texts of {NEW_TOKENS} tokens each" if what == "grpo" else prompts


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of the nursery's checkpoint and of a random model of 100 M parameters."""
    found = (subject for subject in subjects(options) if subject.name in AMOUNTS)
    return [one for subject in islice(found, 1 if options.small else 2) for one in of_subject(subject, options)]


def main() -> None:
    """Print the rows."""
    for found in run(read_options(__doc__)):
        print(found)


if __name__ == "__main__":
    run_program(main)
