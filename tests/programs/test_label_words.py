"""Kinds that choose among label words, from training to scores, and what is refused on the way."""

import json
import math

import numpy as np
import polars as pl
import pytest
import torch

import export_model
import predict
import score
import train_model
from ripeness.measure.label_words import contexts_of_items
from ripeness.models.load import load_model, load_tokenizer
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.tables.columns import EXAMPLES, write_table
from ripeness.tables.examples import read_examples

FEATURES = {"kind": "features", "seed": 1, "penalties": [1.0, 0.01]}
HEAD = {"kind": "head", "learning_rate": 0.05, "epochs": 20, "batch_size": 4, "seed": 1}
CELL = {"study": "s", "dataset": "film", "format": "default", "method": "m", "learning_rate": None, "seed": 1}


@pytest.fixture
def tune(tmp_path, checkpoint, examples):
    """Give a function that tunes and returns the folder with model/ and record.json."""

    def run(settings, *more, name="run", start=checkpoint, data=None):
        options = ["--checkpoint", start, "--settings", json.dumps(settings), *more]
        options += ["--examples", data or examples / "choice/train.parquet"]
        if settings["kind"] == "features" and "--validation" not in more:
            options += ["--validation", examples / "choice/shots.parquet"]
        options += ["--output", tmp_path / name / "model", "--record", tmp_path / name / "record.json"]
        train_model.main([str(option) for option in options])
        return tmp_path / name

    return run


def probe_of(file, **more):
    return {
        "suite": "s",
        "probe": "film",
        "kind": "choice",
        "format": "default",
        "shots": 0,
        "examples": str(file),
    } | more


def said(folder, tmp_path, *probes):
    words = ["--model", folder / "model", "--training", folder / "record.json", "--probes", json.dumps(probes)]
    predict.main([str(word) for word in [*words, "--output", tmp_path / "said.parquet"]])
    return pl.read_parquet(tmp_path / "said.parquet")


def scored(folder, checkpoint, tmp_path):
    """Score what was said; give the values of metrics, and the cell's row."""
    words = ["--predictions", tmp_path / "said.parquet", "--checkpoint", checkpoint / "checkpoint.json"]
    words += ["--cell", json.dumps(CELL), "--training", folder / "record.json"]
    outputs = {name: tmp_path / f"{name}.parquet" for name in ("items", "measurements", "status")}
    for name, path in outputs.items():
        words += [f"--{name}", path]
    score.main([str(word) for word in words])
    values = dict(pl.read_parquet(outputs["measurements"]).select("metric", "value").iter_rows())
    return values, pl.read_parquet(outputs["status"]).row(0, named=True)


@torch.no_grad()
def by_hand(model, tokenizer, file, weight, bias):
    """Log-probabilities of the labels from the last hidden states of transformers, one item at a time."""
    contexts = contexts_of_items(tokenizer, read_examples(file), room=64)
    states = [model(torch.tensor([c]), output_hidden_states=True).hidden_states[-1][0, -1] for c in contexts]
    return torch.log_softmax(torch.stack(states).double() @ weight.double().T + bias.double(), 1).numpy()


@pytest.mark.parametrize("settings", [FEATURES, HEAD | {"moves": "head"}, HEAD | {"moves": "all"}], ids=str)
def test_a_tuned_model_says_what_its_map_makes_of_its_states(tune, checkpoint, examples, tmp_path, settings):
    folder, test = tune(settings), examples / "choice/test.parquet"
    rows = said(folder, tmp_path, probe_of(test, head=True))
    model = load_model(folder / "model")
    expected = by_hand(model, load_tokenizer(checkpoint), test, model.label_map.weight, model.label_map.bias)
    assert np.abs(np.array(rows["logps"].to_list()) - expected).max() < 1e-5
    assert np.allclose(np.exp(expected).sum(1), 1)
    assert rows["n_option_tokens"].null_count() == 12 and rows["item"].to_list()[0] == "test:0"
    assert (rows["logps"].list.arg_max() == rows["gold"]).mean() == 1.0  # the words "long" and "short" tell
    record = read_json(folder / "record.json", dict)
    assert record["settings"]["labels"] == ["good", "bad"] and record["status"] == "done"
    moves = settings.get("moves") == "all"
    assert ("displacement" in record) == moves
    assert [path.name for path in (folder / "model").glob("*.safetensors")] == ["tuned.safetensors"]


def test_a_fit_is_scored_as_a_cell_with_no_step(tune, checkpoint, examples, tmp_path):
    folder = tune(FEATURES)
    record = read_json(folder / "record.json", dict)
    assert (record["steps"], record["losses"], record["n_examples"]) == (0, [], 12)
    assert record["trainable_parameters"] == 2 * 33
    assert record["state_bytes"] == (folder / "model/tuned.safetensors").stat().st_size
    said(folder, tmp_path, probe_of(examples / "choice/test.parquet", head=True))
    values, cell = scored(folder, checkpoint, tmp_path)
    assert values["accuracy"] == 1.0 and -math.log(2) < values["logp_gold"] < 0
    assert not {"answer_loss", "accuracy_token"} & values.keys()
    assert (cell["status"], cell["learning_rate"], cell["displacement"]) == ("done", None, None)
    assert cell["final_loss"] == pytest.approx(record["loss"]) and cell["n_examples"] == 12


def test_a_fit_to_states_that_are_no_numbers_has_diverged_and_the_cell_says_why(tune, checkpoint, examples, tmp_path):
    model = load_model(checkpoint)
    model.model.norm.weight.data.fill_(math.inf)
    start = tmp_path / "start"
    model.save_pretrained(start)
    load_tokenizer(checkpoint).save_pretrained(start)
    write_json(start / "checkpoint.json", read_json(checkpoint / "checkpoint.json", dict))
    folder = tune(FEATURES, start=start)
    assert read_json(folder / "record.json", dict)["status"] == "diverged"
    assert said(folder, tmp_path, probe_of(examples / "choice/test.parquet", head=True)).is_empty()
    values, cell = scored(folder, checkpoint, tmp_path)
    assert (values, cell["status"], cell["final_loss"]) == ({}, "diverged", None)
    assert cell["reason"] == "the states that the map would be fitted to are not finite"


def test_the_same_map_answers_in_another_wording_and_another_order(tune, examples, tmp_path):
    folder, rows = tune(FEATURES), read_examples(examples / "choice/test.parquet")
    changes = {
        "lettered": lambda row: row | {"choices": [" A", " B"]},
        "turned": lambda row: row | {"choices": row["choices"][::-1], "gold": 1 - row["gold"]},
    }
    expected = said(folder, tmp_path, probe_of(examples / "choice/test.parquet", head=True))["logps"].to_list()
    for name, change in changes.items():
        write_table(tmp_path / f"{name}.parquet", [change(row) for row in rows], EXAMPLES)
        found = said(folder, tmp_path, probe_of(tmp_path / f"{name}.parquet", head=True))["logps"].to_list()
        assert found == (expected if name == "lettered" else [one[::-1] for one in expected])


def test_with_shots_the_state_is_that_after_them(tune, examples, tmp_path):
    folder, test = tune(FEATURES), examples / "choice/test.parquet"
    shots = {"shots": 1, "shot_examples": str(examples / "choice/shots.parquet"), "separator": "\n"}
    rows = said(folder, tmp_path, probe_of(test, head=True), probe_of(test, head=True, **shots))
    without, with_shots = (rows.filter(shots=n) for n in (0, 1))
    assert (with_shots["n_prompt_tokens"] > without["n_prompt_tokens"]).all()
    assert with_shots["logps"].to_list() != without["logps"].to_list()


def test_the_output_layer_still_answers_where_the_map_is_not_asked(tune, checkpoint, examples, tmp_path):
    folder, probe = tune(FEATURES), probe_of(examples / "choice/test.parquet", head=False)
    found = said(folder, tmp_path, probe)["logps"].to_list()
    words = [
        "--model",
        checkpoint,
        "--probes",
        json.dumps([probe | {"suite": "s"}]),
        "--output",
        tmp_path / "b.parquet",
    ]
    predict.main([str(word) for word in words])
    assert found == pl.read_parquet(tmp_path / "b.parquet")["logps"].to_list()


def test_a_probe_that_does_not_say_who_answers_is_refused(tune, checkpoint, examples, tmp_path):
    folder, test = tune(FEATURES), examples / "choice/test.parquet"
    with pytest.raises(UserError, match="does not say whether the model's map .*\nhint: .head.: true for"):
        said(folder, tmp_path, probe_of(test))
    write_json(tmp_path / "record.json", {"status": "done"})
    (tmp_path / "model").symlink_to(checkpoint)
    with pytest.raises(UserError, match="which the model does not have\nhint: .head.: false, or"):
        said(tmp_path, tmp_path, probe_of(test, head=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, row: row | {"choices": [" good"], "gold": 0}, "'test:0' has the options good, but .*\nhint: "),
        (
            lambda n, row: row | {"choices": [" good", f" bad{n}"]},
            "'test:1' has the options good, bad1, but .* bad0.\nhint: ",
        ),
        (lambda n, row: row | {"choices": [" good", " bad", " so"]}, "3 options, good, bad, so, but .* 2 labels"),
    ],
)
def test_items_with_other_options_are_refused(tune, examples, tmp_path, change, message):
    rows = [change(n, row) for n, row in enumerate(read_examples(examples / "choice/test.parquet"))]
    write_table(tmp_path / "odd.parquet", rows, EXAMPLES)
    folder = tune(FEATURES)
    with pytest.raises(UserError, match=message):
        said(folder, tmp_path, probe_of(tmp_path / "odd.parquet", head=True))
    with pytest.raises(UserError, match="has the options|has other options than"):
        tune(FEATURES, "--validation", tmp_path / "odd.parquet", name="other")
    if len(rows[0]["choices"]) < 3:
        with pytest.raises(UserError, match="has the options"):
            tune(HEAD | {"moves": "head"}, data=tmp_path / "odd.parquet", name="other")


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        (FEATURES | {"epochs": 3}, [], "kind features takes no steps of an optimizer, and has no epochs\nhint: "),
        (FEATURES, ["--curvature-text", "TEST"], "the weights do not change, so there is no curvature\nhint: "),
        (HEAD | {"moves": "head"}, ["--validation", "TEST"], "kind head chooses nothing on validation items\nhint: "),
        (
            HEAD | {"moves": "head"},
            ["--curvature-text", "TEST"],
            "weights do not change, so there is no curvature\nhint: ",
        ),
        (
            FEATURES,
            ["--replay-text", "TEST"],
            "`replay` of the settings is the share .* --replay-text names\nhint: ",
        ),
        (FEATURES, ["--gpus", "2"], "kind features is fitted on one GPU\nhint: --gpus 1"),
        (HEAD | {"moves": "all"}, ["--gpus", "2"], "kind head is tuned on one GPU\nhint: --gpus 1"),
    ],
)
def test_options_that_do_not_go_with_a_kind_are_refused(tune, examples, settings, options, message):
    named = [str(examples / "choice/test.parquet") if word == "TEST" else word for word in options]
    with pytest.raises(UserError, match=message):
        tune(settings, *named)


def test_a_fit_without_validation_items_is_refused(checkpoint, examples, tmp_path):
    words = ["--checkpoint", checkpoint, "--examples", examples / "choice/train.parquet", "--output", tmp_path / "m"]
    words += ["--record", tmp_path / "r.json", "--settings", json.dumps(FEATURES)]
    with pytest.raises(UserError, match="chooses its penalty on validation items\nhint: name them as --validation"):
        train_model.main([str(word) for word in words])


def test_a_map_is_no_part_of_a_plain_model_folder(tune, tmp_path):
    folder = tune(FEATURES)
    with pytest.raises(UserError, match="has a map to labels, .*\nhint: "):
        export_model.main([str(folder / "model"), str(tmp_path / "plain")])
