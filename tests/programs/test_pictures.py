"""Pictures from the drawing to the answers: the programs as the rules call them, one after the other."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import encode_images
import export_model
import fetch_dataset
import make_dataset
import predict
import prepare_items
import pretrain_encoder
import render_examples
import train_model
from ripeness.data.nursery.scenes import npy_bytes
from ripeness.data.rows import read_sources
from ripeness.models.load import load_model
from ripeness.models.pictures import projector_of, read_pictures
from ripeness.models.vision import encode, load_encoder
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, read_json_lines
from ripeness.runtime.project import ROOT
from ripeness.storage.pictures import read_pictures as read_pixels
from ripeness.study.tasks import as_mapping, load_task
from ripeness.workflow.lookups.prepare import APART

TASK = "nursery-scenes"
SIZES = {"train": 24, "validation": 6, "test": 12, "shots": 3, "seed": 0}
ENCODER = {"patch_size": 12, "hidden_size": 16, "n_heads": 2, "scenes": 64, "test_scenes": 30, "epochs": 2}
HOW = {"learning_rate": 1e-2, "epochs": 2, "batch_size": 8, "seed": 1}
STAGES = {"see": {"kind": "projector"}, "full": {"kind": "full"}, "lora": {"kind": "lora", "rank": 2, "alpha": 4}}


def call(program, **options):
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    program.main(
        [word if isinstance(word, str) else json.dumps(word) if isinstance(word, dict) else str(word) for word in words]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Rows, items and examples of drawn scenes, an encoder, and the states of own, exchanged and blank pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    task = as_mapping(load_task(TASK, ROOT / "tasks", overrides={})) | APART | {"metric": "accuracy"}
    source = task["source"] | {"rows": {"train": 27, "validation": 6, "test": 12}}
    call(make_dataset, source=source, licence="Apache-2.0", output=folder / "rows")
    call(prepare_items, rows=folder / "rows", task=task, sizes=SIZES, output=folder / "items")
    call(render_examples, items=folder / "items", task=task, format="default", output=folder / "examples")
    call(pretrain_encoder, settings=ENCODER | {"min_accuracy": 0.0}, output=folder / "encoder")
    for control in ("own", "exchanged", "blank"):
        how = {"rows": folder / "rows", "items": folder / "items", "encoder": folder / "encoder", "layer": "-1"}
        call(encode_images, **how, control=control, output=folder / f"states{control.removeprefix('own')}")
    return folder


@pytest.fixture(scope="module")
def tuned(made, checkpoint, tmp_path_factory):
    """The first stage, and the second by all weights and by adapters."""
    folder = tmp_path_factory.mktemp("tuned")
    for name, kind in STAGES.items():
        start = {} if name == "see" else {"start": folder / "see/model"}
        train(made, checkpoint, folder / name, HOW | kind, **start)
    return folder


def train(made, checkpoint, place, settings, **more):
    files = {"checkpoint": checkpoint, "examples": made / "examples", "pictures": made / "states"} | more
    files = {name: value for name, value in files.items() if value}
    call(train_model, **files, settings=settings, output=place / "model", record=place / "record.json")


def said(made, model, place, states="states", examples=None):
    probe = {"suite": "own", "probe": TASK, "kind": "choice", "format": "default", "shots": 0}
    probe |= {"examples": str((examples or made) / "examples/test.parquet")} | (
        {"pictures": str(made / states)} if states else {}
    )
    text = {"suite": "text", "probe": "prose", "kind": "text", "format": "text", "shots": 0}
    pl.DataFrame({"item": ["p"], "text": ["a cat sat on the mat and is good"]}).write_parquet(place / "text.parquet")
    text |= {"examples": str(place / "text.parquet")}
    predict.main(["--model", str(model), "--probes", json.dumps([probe, text]), "--output", str(place / "p.parquet")])
    table = pl.read_parquet(place / "p.parquet")
    return np.array(table.filter(probe=TASK)["logps"].explode().to_list()), table.filter(probe="prose")["nll"][0]


def test_states_are_those_of_each_items_own_picture_and_every_picture_is_read_once(made):
    found, encoder = read_pictures(made / "states"), load_encoder(made / "encoder", layer=-1)
    drawn = {row.values["id"]: row.values["image"] for rows in read_sources(made / "rows").values() for row in rows}
    assert len(found.states) == len(set(drawn.values())) < len(drawn) == len(found.places)
    item = next(iter(found.places))
    alone = encode(encoder, list(read_pixels(made / "rows", [drawn[item]]).values()))[0]
    assert torch.allclose(found.states[found.places[item]], alone, atol=1e-5)
    assert found.states.shape[1:] == (4, 16)


def test_exchanged_pictures_are_others_of_the_same_role_and_blank_ones_are_all_alike(made):
    own, other, blank = (read_pictures(made / f"states{control}") for control in ("", "exchanged", "blank"))
    for role in ("train", "test"):
        items = [row["id"] for row in read_json_lines(made / f"items/{role}.jsonl")]
        states = [own.states[own.places[item]] for item in items]
        given = [other.states[other.places[item]] for item in items]
        assert not any(torch.equal(one, two) for one, two in zip(states, given, strict=True))
        assert {tuple(state.flatten().tolist()) for state in given} <= {tuple(s.flatten().tolist()) for s in states}
    assert len(blank.states) == 1 and set(blank.places) == set(own.places)
    assert own.encoder == other.encoder == blank.encoder


def test_the_first_stage_leaves_the_model_and_the_second_moves_both(tuned, checkpoint):
    base = AutoModelForCausalLM.from_pretrained(checkpoint)
    see, full, lora = (load_model(tuned / name / "model") for name in STAGES)
    first = {name: weight.clone() for name, weight in projector_of(see).state_dict().items()}
    for model, moves in ((see, False), (full, True), (lora, True)):
        same = all(torch.equal(model.get_parameter(name), weight) for name, weight in base.named_parameters())
        assert same != moves
        state = projector_of(model).state_dict()
        assert all(torch.equal(state[name], weight) for name, weight in first.items()) != moves
    files = {name: sorted(path.name for path in (tuned / name / "model").glob("*.safetensors")) for name in STAGES}
    assert files == {
        "see": ["tuned.safetensors"],
        "full": ["model.safetensors", "projector.safetensors"],
        "lora": ["projector.safetensors", "tuned.safetensors"],
    }
    assert not [name for name in load_file(tuned / "full/model/model.safetensors") if "projector" in name]
    text = AutoModelForCausalLM.from_pretrained(tuned / "full/model")  # a model of text like any other
    assert {name for name, _ in text.named_parameters()} == {name for name, _ in base.named_parameters()}


def test_records_say_what_moved(tuned):
    see, full, lora = (read_json(tuned / name / "record.json") for name in STAGES)
    n_projector = 16 * 32 + 32 + 32 * 32 + 32
    assert see["trainable_parameters"] == n_projector < lora["trainable_parameters"] < full["trainable_parameters"]
    assert "not_moved" in see and full["displacement"] > 0 and lora["displacement"] > 0
    for record in (see, full, lora):
        assert record["status"] == "done" and record["losses"][-1] < record["losses"][0]


def test_answers_follow_the_picture_and_text_does_not(made, tuned, checkpoint, tmp_path):
    _, untouched = said(made, checkpoint, tmp_path, states="")
    for name in STAGES:
        own, text = said(made, tuned / name / "model", tmp_path)
        again, _ = said(made, tuned / name / "model", tmp_path)
        other, _ = said(made, tuned / name / "model", tmp_path, "statesexchanged")
        blank, _ = said(made, tuned / name / "model", tmp_path, "statesblank")
        none, _ = said(made, tuned / name / "model", tmp_path, "")
        assert np.array_equal(own, again)
        for given in (other, blank, none):
            assert np.abs(own - given).max() > 1e-3
        assert (text == untouched) == (name == "see")


def test_states_that_are_computed_when_they_are_read_give_the_same_training_and_answers(made, checkpoint, tmp_path):
    how = {"rows": made / "rows", "items": made / "items", "encoder": made / "encoder", "layer": "-1"}
    for control in ("own", "blank"):
        words = [word for name, value in how.items() for word in (f"--{name}", str(value))]
        encode_images.main([*words, "--live", "--control", control, "--output", str(tmp_path / f"live-{control}")])
    live, stored = read_pictures(tmp_path / "live-own"), read_pictures(made / "states")
    assert live.encoder == stored.encoder and live.places == stored.places and live.states.shape == (9 + 2 + 4, 4, 16)
    places = torch.tensor([5, 0, 41, 5])
    assert torch.allclose(live.states.rows(places), stored.states.flatten(0, 1)[places], atol=1e-5)
    assert not list((tmp_path / "live-own").glob("*.safetensors"))
    for name, states in (("live", tmp_path / "live-own"), ("stored", made / "states")):
        train(made, checkpoint, tmp_path / name, HOW | {"kind": "projector"}, pictures=states)
    losses = [read_json(tmp_path / name / "record.json")["losses"] for name in ("live", "stored")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    found, _ = said(tmp_path, tmp_path / "live/model", tmp_path, "live-own", examples=made)
    expected, _ = said(made, tmp_path / "stored/model", tmp_path)
    assert found == pytest.approx(expected, abs=1e-3)
    blank, _ = said(tmp_path, tmp_path / "live/model", tmp_path, "live-blank", examples=made)
    assert np.abs(found - blank).max() > 1e-3
    shutil.copytree(made / "encoder", tmp_path / "another")
    how = read_json(tmp_path / "live-own/encoder.json") | {"encoder": str(tmp_path / "another"), "layer": -2}
    (tmp_path / "live-own/encoder.json").write_text(json.dumps(how))
    with pytest.raises(UserError, match="is not the one that .*live-own was written for\nhint: delete the folder"):
        read_pictures(tmp_path / "live-own")


def test_the_second_stage_reads_on_from_its_start_only_and_its_encoder_only(made, tuned, checkpoint, tmp_path):
    with pytest.raises(UserError, match="reads no pictures, since its model has no projector\nhint: --start"):
        train(made, checkpoint, tmp_path / "a", HOW | {"kind": "full"})
    with pytest.raises(UserError, match="kind projector makes a model read pictures\nhint: --pictures"):
        train(made, checkpoint, tmp_path / "b", HOW | {"kind": "projector"}, pictures=None)
    with pytest.raises(UserError, match="which the one in --start does already"):
        train(made, checkpoint, tmp_path / "c", HOW | {"kind": "projector"}, start=tuned / "full/model")
    freeze = HOW | {"kind": "freeze", "norms": True}
    with pytest.raises(UserError, match="of kind freeze that starts from it would lose it\nhint: kind: full or lora"):
        train(made, checkpoint, tmp_path / "d", freeze, start=tuned / "see/model")
    with pytest.raises(UserError, match="kind freeze does not train the projector .*\nhint: kind: full or lora"):
        train(made, checkpoint, tmp_path / "d", freeze, start=tuned / "full/model")
    call(
        pretrain_encoder, settings=ENCODER | {"min_accuracy": 0.0, "seed": 5, "epochs": 1}, output=tmp_path / "encoder"
    )
    how = {"rows": made / "rows", "items": made / "items", "encoder": tmp_path / "encoder", "layer": "-1"}
    call(encode_images, **how, output=tmp_path / "states")
    with pytest.raises(UserError, match="read by another encoder than the one that the projector learned from\nhint: "):
        train(
            made,
            checkpoint,
            tmp_path / "e",
            HOW | {"kind": "full"},
            start=tuned / "see/model",
            pictures=tmp_path / "states",
        )
    shutil.copytree(tmp_path / "states", tmp_path / "made/states_of_others")
    shutil.copytree(made / "examples", tmp_path / "made/examples")
    with pytest.raises(UserError, match="another encoder"):
        said(tmp_path / "made", tuned / "see/model", tmp_path, "states_of_others")


def test_rows_on_disk_name_their_pictures_by_path_and_a_broken_one_is_refused(tmp_path, made):
    for number in range(12):
        pixels = np.full((9, 7, 3), number, dtype=np.uint8)
        (tmp_path / f"{number}.npy").write_bytes(npy_bytes(pixels))
    source = {}
    for part, (role, n) in enumerate({"train": 6, "validation": 2, "test": 4}.items()):
        rows = [
            {"photo": f"{n * part + k}.npy", "q": f"what {role}", "a": [" yes", " no"], "right": k % 2}
            for k in range(n)
        ]
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        source[role] = str(tmp_path / f"{role}.jsonl")
    task = as_mapping(load_task(TASK, ROOT / "tasks", overrides={})) | APART | {"source": source, "metric": "accuracy"}
    task |= {
        "image": "photo",
        "fields": {"question": "q"},
        "options": "a",
        "answer": "right",
        "id": None,
        "cluster": None,
    }
    call(fetch_dataset, source=source | {"image": "photo"}, licence="none", output=tmp_path / "rows")
    sizes = {"train": 4, "validation": 2, "test": 4, "shots": 2, "seed": 0}
    call(prepare_items, rows=tmp_path / "rows", task=task, sizes=sizes, output=tmp_path / "items")
    how = {"rows": tmp_path / "rows", "items": tmp_path / "items", "encoder": made / "encoder", "layer": "-1"}
    call(encode_images, **how, output=tmp_path / "states")
    assert len(read_pictures(tmp_path / "states").states) == 10  # of 12 rows, two of which name others' pictures
    (tmp_path / "5.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(UserError, match=r"train\.jsonl:6: the picture is damaged"):
        call(fetch_dataset, source=source | {"image": "photo"}, licence="none", output=tmp_path / "again")


def test_an_encoder_that_does_not_know_what_is_asked_is_refused_and_not_written(tmp_path):
    with pytest.raises(
        UserError, match=r"the encoder does not recognise what the questions are about: .*shape 0\.\d+.*\nhint: "
    ):
        call(pretrain_encoder, settings=ENCODER | {"epochs": 1}, output=tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


def test_the_second_stage_is_exported_as_a_model_of_text_with_its_projector(made, tuned, tmp_path):
    with pytest.raises(UserError, match="stored next to the weights"):
        export_model.main([str(tuned / "see/model"), str(tmp_path / "see")])
    export_model.main([str(tuned / "lora/model"), str(tmp_path / "lora")])
    files = sorted(path.name for path in (tmp_path / "lora").glob("*.safetensors"))
    assert files == ["model.safetensors", "projector.safetensors"]
    assert not [name for name in load_file(tmp_path / "lora/model.safetensors") if "projector" in name]
    found, text = said(made, tmp_path / "lora", tmp_path)
    expected, same = said(made, tuned / "lora/model", tmp_path)
    assert found == pytest.approx(expected, abs=1e-4) and text == pytest.approx(same, abs=1e-4)
