"""A checkpoint from a local folder is annealed: its facts, its weights after a kill, what is refused."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import anneal_checkpoint
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json

SETTINGS = {"steps": 5, "batch_size": 2, "sequence_length": 32, "warmup_ratio": 0.2}
TOKENS = 5 * 2 * 32
WORDS = "the film was good bad long short a dog cat sat on mat and ran far away"


class KilledError(Exception):
    """What stands for a kill in the midst of a step."""


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "more.txt"
    words = WORDS.split()
    lines = (" ".join(words[(7 * line + 3 * place) % len(words)] for place in range(12)) for line in range(400))
    path.write_text("\n".join(lines))
    return path


def anneal(checkpoint: Path, text: Path, output: Path, *options: str, **settings) -> Path:
    told = json.dumps(SETTINGS | settings)
    arguments = ["--checkpoint", str(checkpoint), "--text", str(text), "--settings", told, "--accept-loss"]
    anneal_checkpoint.main([*arguments, "--output", str(output), *options])
    return output


@pytest.fixture(scope="module")
def twin(checkpoint, text, tmp_path_factory):
    named = json.dumps({"series": "tiny", "checkpoint": "step8-annealed5"})
    return anneal(checkpoint, text, tmp_path_factory.mktemp("twins") / "twin", "--identity", named)


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_a_twin_knows_itself_and_loads_as_any_checkpoint(twin, checkpoint):
    facts = read_json(twin / "checkpoint.json")
    assert (facts["series"], facts["checkpoint"], facts["phase"]) == ("tiny", "step8-annealed5", "annealed")
    assert (facts["step"], facts["tokens"], facts["seed"]) == (8 + 5, 4096 + TOKENS, 5)
    # falls from the rate recorded at the checkpoint, 1e-3, after one step of warm-up over four to zero
    assert facts["lr"] == pytest.approx(1e-3 / 4) and facts["annealing"]["learning_rate"] == 1e-3
    assert facts["annealing"]["checkpoint"] == "step8" and facts["annealing"]["tokens"] == TOKENS
    assert len(facts["annealing"]["losses"]) == 5 and facts["gate"]["text"] == "English prose"
    model = AutoModelForCausalLM.from_pretrained(twin)
    assert facts["n_parameters"] == model.num_parameters()
    assert len(AutoTokenizer.from_pretrained(twin)) == len(AutoTokenizer.from_pretrained(checkpoint))
    assert weights_of(twin) != weights_of(checkpoint)


def test_annealing_on_a_text_lowers_the_loss_on_it(checkpoint, text, tmp_path):
    losses = read_json(anneal(checkpoint, text, tmp_path / "long", steps=30) / "checkpoint.json")["annealing"]["losses"]
    assert losses[-1] < losses[0] - 1


@pytest.mark.parametrize("n_steps", [1, 4])
def test_an_annealing_that_is_killed_goes_on_to_the_same_weights(
    checkpoint, text, twin, tmp_path, monkeypatch, n_steps
):
    take, steps = torch.optim.AdamW.step, []

    def step(self, *args, **kwargs):
        steps.append(1)
        if len(steps) > n_steps:
            raise KilledError
        return take(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(torch.optim.AdamW, "step", step)
        anneal(checkpoint, text, tmp_path / "cut", "--save-seconds", "0")
    assert not (tmp_path / "cut").exists() and (tmp_path / "cut.state").exists()
    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", lambda self: steps.append(1) or take(self))
        anneal(checkpoint, text, tmp_path / "cut")
    assert len(steps) == n_steps + 1 + (5 - n_steps)  # the one that was cut off is taken again, none before it
    assert weights_of(tmp_path / "cut") == weights_of(twin)
    assert not (tmp_path / "cut.state").exists()


def test_the_seed_and_the_text_decide_what_is_read(checkpoint, text, twin, tmp_path):
    assert weights_of(anneal(checkpoint, text, tmp_path / "same")) == weights_of(twin)
    assert weights_of(anneal(checkpoint, text, tmp_path / "other", seed=1)) != weights_of(twin)


def test_a_folder_without_a_record_is_annealed_at_a_given_rate_and_its_tokens_stay_unknown(checkpoint, text, tmp_path):
    bare = shutil.copytree(checkpoint, tmp_path / "bare")
    (bare / "checkpoint.json").unlink()
    with pytest.raises(UserError, match="records None as its learning rate\nhint: give learning_rate"):
        anneal(bare, text, tmp_path / "twin")
    facts = read_json(anneal(bare, text, tmp_path / "twin", learning_rate=0.01) / "checkpoint.json")
    assert (facts["series"], facts["checkpoint"], facts["step"], facts["tokens"]) == ("local", "twin", None, None)
    assert facts["annealing"]["tokens"] == TOKENS and facts["lr"] == pytest.approx(0.01 / 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 3}, r"unknown \['batch'\]"),
        ({"steps": 0}, "steps is 0\nhint: "),
        ({"sequence_length": 100}, "sequence_length 100, but the model reads 64 tokens\nhint: "),
        ({"steps": 9000}, "18000 sequences of 32 are read, more than 8 times as many\nhint: give a longer text"),
        (
            {"learning_rate": 1e30, "warmup_ratio": 0},
            "the annealing diverged: .*\nhint: choose a smaller",
        ),
    ],
)
def test_settings_that_cannot_work_are_reported_to_the_user(checkpoint, text, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        anneal(checkpoint, text, tmp_path / "twin", **settings)
    assert not (tmp_path / "twin").exists()


def test_what_is_annealed_already_and_a_corpus_of_another_tokenizer_are_refused(checkpoint, text, twin, tmp_path):
    with pytest.raises(UserError, match="the checkpoint is annealed already\nhint: "):
        anneal(twin, text, tmp_path / "twice")
    (tmp_path / "corpus" / "tokenizer").mkdir(parents=True)
    write_json(tmp_path / "corpus" / "tokenizer" / "tokenizer.json", {})
    with pytest.raises(UserError, match="was tokenized with another tokenizer than that of .*\nhint: give a text file"):
        anneal(checkpoint, tmp_path / "corpus", tmp_path / "twin")
    (tmp_path / "latin").write_bytes("wörter".encode("latin-1") * 100)
    with pytest.raises(UserError, match="Cannot read the text .*utf-8.*\nhint: .*UTF-8 text file"):
        anneal(checkpoint, tmp_path / "latin", tmp_path / "twin")


def test_a_twin_that_its_gate_refuses_is_not_kept(checkpoint, text, tmp_path):
    told = ["--checkpoint", str(checkpoint), "--text", str(text), "--settings", json.dumps(SETTINGS | {"steps": 1})]
    made = shutil.copytree(checkpoint, tmp_path / "old")
    write_json(made / "checkpoint.json", read_json(made / "checkpoint.json") | {"tokens": 2 * 10**9})
    told[1] = str(made)
    with pytest.raises(UserError, match="it predicts English prose with a loss of"):
        anneal_checkpoint.main([*told, "--output", str(tmp_path / "twin")])
    assert not (tmp_path / "twin").exists()


def test_a_text_with_held_out_documents_of_the_series_in_it_is_refused(checkpoint, text, tmp_path):
    lines = text.read_text().splitlines()
    heldout = ["\n".join(lines[3:6]), lines[0][:20], "a text that is nowhere else" * 5]
    (tmp_path / "corpus").mkdir()
    pl.DataFrame({"item": ["a", "b", "c"], "text": heldout}).write_parquet(tmp_path / "corpus" / "heldout.parquet")
    with pytest.raises(UserError, match="contains 1 of 3 held-out documents of .*\nhint: anneal on other text"):
        anneal(checkpoint, text, tmp_path / "twin", "--gate-text", str(tmp_path / "corpus"))
    pl.DataFrame({"item": ["a", "b"], "text": heldout[1:]}).write_parquet(tmp_path / "corpus" / "heldout.parquet")
    twin = anneal(checkpoint, text, tmp_path / "twin", "--gate-text", str(tmp_path / "corpus"))
    assert read_json(twin / "checkpoint.json")["gate"]["text"] == "held-out documents"
