"""train_model: trainings that start from the model of another, and small states that stand for models."""

import json
import math
import os

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from tuned_models import LORA, apart, start_options, weights

import export_model
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json


@pytest.mark.parametrize("kinds", [("full", "full"), ("lora", "full"), ("full", "lora"), ("lora", "lora", "lora")])
def test_a_training_starts_from_the_model_of_another(tune, checkpoint, kinds):
    changes = {"full": {}, "lora": LORA | {"epochs": 2}}
    folder = tune("0", **changes[kinds[0]])
    for place, kind in enumerate(kinds[1:], 1):
        exported = folder / "exported"
        export_model.main([str(folder / "model"), str(exported)])
        folder = tune(str(place), *start_options(folder), seed=2, **changes[kind])
    alone = tune("alone", start=exported, seed=2, **changes[kinds[-1]])
    assert read_json(folder / "record.json")["losses"] == read_json(alone / "record.json")["losses"]
    ours, theirs = (load_model(place / "model").state_dict() for place in (folder, alone))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    moved = apart(ours, {name: weight.detach() for name, weight in load_model(checkpoint).named_parameters()})
    far = math.sqrt(sum(weight.double().square().sum() for weight in moved))
    assert read_json(folder / "record.json")["displacement"] == pytest.approx(far, rel=1e-6)  # from the checkpoint


def test_a_small_state_whose_start_is_gone_says_so(tune, tmp_path):
    folder = tune("follower", *start_options(tune("first")), **LORA | {"steps": 1})
    (tmp_path / "first").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"was tuned from is not at .*first/model\nhint: put it back"):
        load_model(folder / "model")


def test_nothing_is_tuned_from_a_model_that_diverged_but_the_grid_goes_on(tune):
    for name, changes in {"full": {}, "lora": LORA}.items():
        start = tune(f"start {name}", **changes | {"learning_rate": 1e6, "warmup_ratio": 0.0, "epochs": 10})
        assert read_json(start / "record.json")["status"] == "diverged"
        folder = tune(name, *start_options(start), **LORA)
        record = read_json(folder / "record.json")
        assert (record["status"], record["losses"], record["tokens_seen"]) == ("diverged", [None], 0)
        ours, theirs = (load_model(place / "model").state_dict() for place in (folder, start))
        assert all(torch.equal(ours[key].nan_to_num(), theirs[key].nan_to_num()) for key in theirs)


def test_small_states_that_lead_back_to_themselves_are_refused(tune):
    first = tune("first", **LORA | {"steps": 1})
    second = tune("second", *start_options(first), **LORA | {"steps": 1})
    record = read_json(first / "model/tuned.json")
    record["checkpoint"]["path"] = os.path.relpath(second / "model", first / "model")
    (first / "model/tuned.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="leads back to it"):
        load_model(second / "model")


def test_adapters_are_saved_as_a_small_state_which_stands_for_a_model_like_any_other(tune, checkpoint):
    folder = tune("lora", **LORA)
    record = read_json(folder / "record.json")
    assert record["settings"]["modules"] == ["q_proj"]
    assert {path.name for path in (folder / "model").glob("*.safetensors")} == {"tuned.safetensors"}
    ours, theirs = (load_model(path).state_dict() for path in (folder / "model", checkpoint))
    assert ours.keys() == theirs.keys()
    assert {name for name in theirs if not torch.equal(ours[name], theirs[name])} == {
        f"model.layers.{n}.self_attn.q_proj.weight" for n in (0, 1)
    }
    assert record["displacement"] == pytest.approx(math.sqrt(sum(w.square().sum() for w in apart(ours, theirs))))
    assert read_json(folder / "model" / "config.json") == read_json(checkpoint / "config.json")


def test_the_record_says_that_a_quantised_model_is_simulated(tune):
    record = read_json(tune("quantised", **LORA, quantised="nf4") / "record.json")
    assert record["quantised"] == {"to": "nf4", "simulated": True}
    assert record["settings"]["quantised"] == "nf4"
    assert record["displacement"] > 2 * read_json(tune("lora", **LORA) / "record.json")["displacement"]  # rounding too
    assert "quantised" not in read_json(tune("plain", **LORA) / "record.json")


def test_a_small_state_is_exported_as_a_folder_that_transformers_loads_by_itself(tune, tmp_path):
    folder = tune("lora", **LORA) / "model"
    with pytest.raises(OSError, match=r"no file named model.safetensors"):
        AutoModelForCausalLM.from_pretrained(folder)
    export_model.main([str(folder), str(tmp_path / "plain")])
    plain, ours = AutoModelForCausalLM.from_pretrained(tmp_path / "plain"), load_model(folder)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), ours.parameters(), strict=True))
    words = AutoTokenizer.from_pretrained(tmp_path / "plain")("the film was", return_tensors="pt")
    assert torch.equal(plain(**words).logits, ours(**words).logits)
    with pytest.raises(UserError, match=r"overlaps with the input .*\nhint: "):
        export_model.main([str(folder), str(folder / "plain")])


def test_a_training_may_go_on_from_a_small_state_by_all_weights_or_once_it_is_exported(tune, tmp_path):
    folder = tune("lora", **LORA) / "model"
    with pytest.raises(UserError, match=r"is a small state .*kind lora.*\nhint: --start .*lora/model, and its"):
        tune("again", start=folder, **LORA)
    export_model.main([str(folder), str(tmp_path / "plain")])
    ours, theirs = tune("from-state", start=folder), tune("from-plain", start=tmp_path / "plain")
    assert weights(ours) == weights(theirs)
    assert (ours / "record.json").read_bytes() == (theirs / "record.json").read_bytes()
    tune("adapters", start=tmp_path / "plain", **LORA)
