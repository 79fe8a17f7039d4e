"""Tuning gives the losses, step by step, of transformers' own Trainer: same model, examples, order and settings."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tuned_by_loop import SETTINGS as LOOP_SETTINGS

pytest.importorskip("accelerate", reason="accelerate, which Trainer needs, is not installed; see requirements-dev.lock")

from ripeness.models.batching import IGNORED, encode_examples, padded
from ripeness.train.loop import batches, train

DATA = Path(os.environ.get("RIPENESS_TEST_DATA", Path(__file__).parents[3] / "shared")).resolve()
MNLI = DATA / "data/mnli/train.jsonl"
LABELS = {"entailment": " true", "neutral": " unsure", "contradiction": " false"}
# 40 examples in batches of 4, twice: 20 steps, 4 of them of warm-up
SETTINGS = replace(LOOP_SETTINGS, warmup_ratio=0.2)
TOLERANCE = 1e-4  # nats


def made_up():
    words = ["good", "very bad and short", "long"]
    return [(f"row{n}", "the film was " + "far " * (n * 7 % 11) + "long\nit is", f" {words[n % 3]}") for n in range(40)]


def of_mnli():
    if not MNLI.is_file():
        pytest.skip(f"there is no {MNLI}; RIPENESS_TEST_DATA names another folder")
    rows = map(json.loads, MNLI.read_text(encoding="utf-8").splitlines())
    short = [row for row in rows if len(row["premise"] + row["hypothesis"]) < 120][:40]
    wording = "Premise: {premise}\nHypothesis: {hypothesis}\nThe hypothesis is"
    return [(str(n), wording.format(**row), LABELS[row["label"]]) for n, row in enumerate(short)]


@pytest.fixture(scope="module", params=[made_up, pytest.param(of_mnli, marks=pytest.mark.real_data)])
def examples(request, tokenizer):
    return encode_examples(request.param(), tokenizer, max_length=1024)


@pytest.fixture(scope="module")
def fresh(tiny_model):
    return lambda architecture: tiny_model(architecture, max_position_embeddings=1024)


def collate(batch):
    tokens, targets = padded(batch, pad=0)
    lengths = torch.tensor([len(example.tokens) for example in batch])
    mask = torch.arange(tokens.shape[1]) < lengths[:, None]
    return {"input_ids": tokens, "attention_mask": mask.long(), "labels": targets}


def by_trainer(model, examples, folder, accumulate=1):
    """Tune by Trainer, in our order; give the loss of every step and the norm of its gradient."""
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=SETTINGS.batch_size // accumulate,
        gradient_accumulation_steps=accumulate,
        num_train_epochs=1,  # of the examples of both epochs, one after the other
        train_sampling_strategy="sequential",
        optim="adamw_torch",
        learning_rate=SETTINGS.learning_rate,
        lr_scheduler_type=SETTINGS.schedule,
        warmup_steps=SETTINGS.warmup_ratio,  # below one it is a share
        weight_decay=SETTINGS.weight_decay,
        max_grad_norm=SETTINGS.clip,
        logging_steps=1,
        save_strategy="no",
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=model.device.type != "cuda",
    )
    ordered = [example for batch in batches(examples, SETTINGS) for example in batch]
    trainer = Trainer(model=model, args=arguments, train_dataset=ordered, data_collator=collate)
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    return [entry["loss"] for entry in steps], [float(entry["grad_norm"]) for entry in steps]


def logits_of(model, examples):
    model.eval()
    with torch.no_grad():
        rows = [torch.tensor([example.tokens], device=model.device) for example in examples]
        return torch.cat([model(row).logits[0].cpu() for row in rows])


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
@pytest.mark.parametrize(("accumulate", "row_tokens"), [(1, 2048), (2, 30)])
def test_losses_and_the_tuned_model_are_those_of_trainer(
    fresh, examples, tmp_path, architecture, accumulate, row_tokens
):
    reference, model = fresh(architecture), fresh(architecture)
    expected, norms = by_trainer(reference, examples, tmp_path, accumulate)
    losses, status, *_ = train(model, examples, SETTINGS, pad=0, row_tokens=row_tokens)
    assert (len(losses), status) == (20, "done")
    assert losses == pytest.approx(expected, abs=TOLERANCE)
    assert losses[-1] < losses[0] - 1
    assert max(norms) > SETTINGS.clip  # so that clipping has a say
    assert torch.allclose(logits_of(model, examples), logits_of(reference, examples), atol=1e-3)
    for (name, weights), others in zip(model.named_parameters(), reference.parameters(), strict=True):
        # biases of keys have no true gradient: Adam makes steps of its rounding errors
        assert torch.allclose(weights.cpu(), others.cpu(), atol=1e-4) or name.endswith("query_key_value.bias"), name


def test_examples_differ_in_length_and_only_answers_are_learned(examples):
    batch = collate(examples[:4])
    assert batch["attention_mask"].sum(1).unique().numel() > 1
    assert (batch["labels"] != IGNORED).sum() < batch["attention_mask"].sum() / 2
