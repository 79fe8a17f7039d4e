"""Learning preferences and rewards gives the losses, step by step, of trl: same model, pairs, order and settings."""

import copy

import pytest
import torch

pytest.importorskip("trl", reason="trl is not installed; see requirements-dev.lock")

from datasets import Dataset
from transformers import AutoModelForSequenceClassification

from ripeness.study.methods.full import FullSettings
from ripeness.study.objectives.preferences import PreferenceGoal
from ripeness.study.objectives.reward import RewardGoal
from ripeness.train.loop import batches, train
from ripeness.train.objectives.register import objective_of

# 40 pairs in batches of 4, twice: 20 steps, 4 of them of warm-up
SETTINGS = FullSettings(
    learning_rate=1e-3, epochs=2, batch_size=4, warmup_ratio=0.2, weight_decay=0.1, clip=1.0, precision="fp32", seed=1
)
BETTER, WORSE = [" good", " long", " what to see"], [" bad and short", " far", " no"]
TOLERANCE = 1e-4  # nats
COMMON = {
    "num_train_epochs": 1,  # of the pairs of both epochs, one after the other
    "train_sampling_strategy": "sequential",
    "optim": "adamw_torch",
    "learning_rate": SETTINGS.learning_rate,
    "lr_scheduler_type": SETTINGS.schedule,
    "warmup_steps": SETTINGS.warmup_ratio,  # below one it is a share
    "weight_decay": SETTINGS.weight_decay,
    "max_grad_norm": SETTINGS.clip,
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "max_length": None,
}


def rows(prompt):
    """Forty pairs after prompts; answers come in several lengths."""
    return [
        {"item": f"row{n}", "prompt": prompt(n), "choices": [BETTER[n % 3], WORSE[n // 3 % 3]], "gold": 0}
        for n in range(40)
    ]


LONG = rows(lambda n: "the film was " + "far " * (n * 7 % 11) + "long\nit is")
WORD = rows(lambda n: ["the", " film", " was"][n % 3])  # one token


def pairs(objective, given, tokenizer):
    return objective.units(given, tokenizer, max_length=64)


def ordered(given):
    """The rows in the order in which a training reads their pairs."""
    return [row for batch in batches(given, SETTINGS) for row in batch]


def ours(model, goal, given, tokenizer):
    objective = objective_of(goal)
    outcome = train(model, pairs(objective, given, tokenizer), SETTINGS, pad=0, objective=objective, row_tokens=60)
    assert outcome.status == "done" and len(outcome.losses) == 20
    return outcome.losses


def theirs(trainer):
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def text_pairs(given):
    keys = ("prompt", "chosen", "rejected")
    return Dataset.from_list([dict(zip(keys, (row["prompt"], *row["choices"]), strict=True)) for row in ordered(given)])


def with_pad(tokenizer):
    """The tokenizer with a token for padding that no text has, as trl needs where the end of text counts."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.pad_token = "~"
    return tokenizer


@pytest.mark.parametrize(("loss", "name", "beta"), [("dpo", "sigmoid", 0.1), ("ipo", "ipo", 0.4)])
def test_losses_of_dpo_and_ipo(tiny_model, tokenizer, tmp_path, loss, name, beta):
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(output_dir=str(tmp_path), per_device_train_batch_size=4, loss_type=[name], beta=beta, **COMMON)
    model, reference = tiny_model(), tiny_model()
    trainer = DPOTrainer(
        model, ref_model=reference, args=config, train_dataset=text_pairs(LONG), processing_class=with_pad(tokenizer)
    )
    found = ours(tiny_model(), PreferenceGoal(loss=loss, beta=beta), LONG, tokenizer)
    assert found == pytest.approx(theirs(trainer), abs=TOLERANCE)
    assert max(found) - min(found) > 0.05


def test_losses_of_kto(tiny_model, tokenizer, tmp_path):
    from trl import KTOConfig, KTOTrainer

    config = KTOConfig(output_dir=str(tmp_path), per_device_train_batch_size=8, beta=0.5, **COMMON)
    each = [
        {"prompt": row["prompt"], "completion": row["choices"][place], "label": place == 0}
        for start in range(0, 80, 4)
        for place in (0, 1)
        for row in ordered(LONG)[start : start + 4]
    ]
    trainer = KTOTrainer(
        tiny_model(), ref_model=tiny_model(), args=config, train_dataset=Dataset.from_list(each),
        processing_class=with_pad(tokenizer),
    )  # fmt: skip
    found = ours(tiny_model(), PreferenceGoal(loss="kto", beta=0.5), LONG, tokenizer)
    assert found == pytest.approx(theirs(trainer), abs=TOLERANCE)
    assert max(found) - min(found) > 0.05


def test_losses_of_simpo(tiny_model, tokenizer, tmp_path):
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    config = CPOConfig(
        output_dir=str(tmp_path), per_device_train_batch_size=4, loss_type="simpo", cpo_alpha=0.0, beta=2.0,
        simpo_gamma=0.5, **COMMON,
    )  # fmt: skip
    trainer = CPOTrainer(
        tiny_model(), args=config, train_dataset=text_pairs(LONG), processing_class=with_pad(tokenizer)
    )
    found = ours(tiny_model(), PreferenceGoal(loss="simpo", beta=2.0, gamma=0.5), LONG, tokenizer)
    assert found == pytest.approx(theirs(trainer), abs=TOLERANCE)
    assert max(found) - min(found) > 0.05


def test_losses_of_orpo(tiny_model, tokenizer, tmp_path):
    """After prompts of one token, since trl counts the loss of the prompt too, which the paper does not."""
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    config = ORPOConfig(output_dir=str(tmp_path), per_device_train_batch_size=4, beta=0.5, **COMMON)
    trainer = ORPOTrainer(
        tiny_model(), args=config, train_dataset=text_pairs(WORD), processing_class=with_pad(tokenizer)
    )
    found = ours(tiny_model(), PreferenceGoal(loss="orpo", beta=0.5), WORD, tokenizer)
    assert found == pytest.approx(theirs(trainer), abs=TOLERANCE)
    assert max(found) - min(found) > 0.05


def test_losses_of_a_reward_model(tiny_model, tokenizer, tmp_path):
    from trl import RewardConfig, RewardTrainer

    config = RewardConfig(output_dir=str(tmp_path), per_device_train_batch_size=4, disable_dropout=True, **COMMON)
    model = tiny_model()
    padding = with_pad(tokenizer)
    config_of = copy.deepcopy(model.config)
    config_of.num_labels, config_of.pad_token_id = 1, padding.pad_token_id
    reference = AutoModelForSequenceClassification.from_config(config_of)
    reference.model.load_state_dict(model.model.state_dict())
    torch.nn.init.zeros_(reference.score.weight)
    given = [
        {"chosen": row["prompt"] + row["choices"][0], "rejected": row["prompt"] + row["choices"][1]}
        for row in ordered(LONG)
    ]
    trainer = RewardTrainer(reference, args=config, train_dataset=Dataset.from_list(given), processing_class=padding)
    found = ours(model, RewardGoal(), LONG, tokenizer)
    assert found == pytest.approx(theirs(trainer), abs=TOLERANCE)
    assert max(found) - min(found) > 0.05
