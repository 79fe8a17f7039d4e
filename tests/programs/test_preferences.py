"""Preferences and a reward model by the programs: trained, loaded, measured, or refused with an error that helps."""

import json
import math

import polars as pl
import pytest
import torch

import export_model
import predict
import score
from ripeness.models.load import load_model
from ripeness.models.reward import read_reward
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

SETTINGS = {"learning_rate": 1e-2, "epochs": 6, "batch_size": 4, "precision": "fp32", "seed": 1}
REWARD = {"learns": "reward"}
DPO = {"learns": "preferences", "loss": "dpo", "beta": 0.1}
BETTER, WORSE = " good", " bad and short"
PROBE = {"suite": "own", "probe": "films", "kind": "preference", "format": "default", "shots": 0}


def prompt(n):
    return "the film was " + "far " * (n % 4) + "long\nit is"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Write a dozen pairs, of which either answer may be first."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rows = [
        {"prompt": prompt(n), "choices": [WORSE, BETTER] if n % 2 else [BETTER, WORSE], "gold": n % 2}
        for n in range(12)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def tune(train_on, pairs):
    """Give a function that trains, and returns the folder with model/ and record.json."""
    return lambda name, settings, *options: train_on(pairs, name, SETTINGS | settings, *options)


@pytest.fixture
def ask(tmp_path, pairs):
    """Give a function that asks a model for the pairs."""

    def run(model, **more):
        probes = json.dumps([PROBE | {"examples": str(pairs)} | more])
        predict.main(["--model", str(model), "--probes", probes, "--output", str(tmp_path / "predictions.parquet")])
        return pl.read_parquet(tmp_path / "predictions.parquet").to_dicts()

    return run


@pytest.mark.parametrize("kind", [{"kind": "full"}, {"kind": "lora", "rank": 2, "alpha": 4}], ids=["full", "lora"])
def test_a_reward_model_ranks_answers_by_its_reward(tune, ask, tokenizer, kind):
    folder = tune("rm", REWARD | kind)
    record = read_json(folder / "record.json")
    assert record["settings"]["learns"] == "reward" and record["losses"][0] == pytest.approx(math.log(2))
    assert record["reward_accuracy"] == 1 and record["warnings"] == []
    rows = ask(folder / "model", reward=True)
    assert all(row["logps"][row["gold"]] == max(row["logps"]) for row in rows)
    model, weight = load_model(folder / "model"), read_reward(folder / "model")
    texts = [tokenizer(prompt(0) + answer)["input_ids"] + [0] for answer in (BETTER, WORSE)]
    with torch.no_grad():
        found = [model.model(torch.tensor([text])).last_hidden_state[0, -1] @ weight for text in texts]
    assert rows[0]["logps"] == pytest.approx(torch.stack(found).log_softmax(0).tolist(), abs=1e-4)


def test_a_reward_model_is_not_asked_for_words_and_starts_nothing(tune, ask, checkpoint):
    model = tune("rm", REWARD) / "model"
    with pytest.raises(UserError, match='needs words, but a reward model.*\nhint: "reward": true'):
        ask(model)
    with pytest.raises(UserError, match="needs words, but a reward model"):
        ask(model, kind="text", reward=True)
    with pytest.raises(UserError, match=r"is a reward model, and a plain model folder has no place.*\nhint: reward"):
        export_model.main([str(model), str(model.parent / "plain")])
    with pytest.raises(UserError, match=r"a reward model, which no longer generates words.*\nhint: start from the"):
        tune("after", DPO, "--start", str(model))
    with pytest.raises(UserError, match=r"has no reward .*\nhint: name a model .* `learns: reward`"):
        ask(checkpoint, reward=True)


def test_preferences_are_learned_from_another_start_and_measured(tune, ask, tmp_path, checkpoint):
    sft = tune("sft", {"epochs": 1})
    folder = tune("dpo", DPO | {"kind": "lora", "rank": 2, "alpha": 4}, "--start", str(sft / "model"))
    record = read_json(folder / "record.json")
    assert record["settings"] | DPO == record["settings"] and record["n_examples"] == 12
    assert record["losses"][0] == pytest.approx(math.log(2)) and record["losses"][-1] < 0.6
    start = ask(sft / "model")
    first = [row["logps"][row["gold"]] - row["logps"][1 - row["gold"]] for row in start]
    assert record["pairs"]["start"]["preferred"] == pytest.approx(sum(lead > 0 for lead in first) / 12, abs=0.1)
    rows = ask(folder / "model")
    last = [row["logps"][row["gold"]] - row["logps"][1 - row["gold"]] for row in rows]
    assert sum(last) > sum(first)
    items, measured = score.score_cell(rows, {}, score.Scoring())
    found = {row["metric"]: row for row in measured}
    assert found["preferred"]["value"] == sum(lead > 0 for lead in last) / 12 and found["preferred"]["chance"] == 0.5
    assert {row["metric"] for row in measured if row["is_primary"]} == {"preferred"}
    per_token = [
        row["logps"][row["gold"]] / row["n_option_tokens"][row["gold"]]
        > row["logps"][1 - row["gold"]] / row["n_option_tokens"][1 - row["gold"]]
        for row in rows
    ]
    assert found["preferred_token"]["value"] == sum(per_token) / 12
    assert [item["is_preferred"] for item in items] == [lead > 0 for lead in last]


def test_warnings_of_a_record_are_reasons_of_its_cell():
    record = {"status": "done", "losses": [0.7, 0.1], "warnings": ["both answers became improbable"]}
    assert score.training_reasons(record) == ["both answers became improbable"]
    assert score.training_reasons(record | {"warnings": []}) == []
