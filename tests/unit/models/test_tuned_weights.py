"""Tuned weights: a folder of their own, on scratch where there is one, and gone once measured."""

import json
import shutil

import model_zoo
import pytest
import torch

from ripeness.models.load import load_model, read_checkpoint
from ripeness.models.tokens import end_tokens, load_tokenizer
from ripeness.models.tuned_weights import drop_weights, save_model, scratch_place
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, whole, write_json
from ripeness.runtime.made_here import MARK


@pytest.fixture(params=["beside", "on scratch"])
def tuned(request, checkpoint, tmp_path):
    """Give a function that tunes a model a little and saves it: the model, its folder, and the scratch folder."""
    scratch = tmp_path / "scratch" if request.param == "on scratch" else None

    def save(change=1.0):
        model = load_model(checkpoint)
        with torch.no_grad():
            model.get_input_embeddings().weight.add_(change)
        save_model(model, checkpoint, tmp_path / "tuned", scratch=scratch)
        return model, tmp_path / "tuned", scratch

    return save


def test_a_saved_model_is_a_checkpoint_of_its_own(tuned, checkpoint, tokenizer):
    model, folder, scratch = tuned()
    again = load_model(folder)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert load_tokenizer(folder).get_vocab() == tokenizer.get_vocab()
    assert read_checkpoint(folder) == read_checkpoint(checkpoint)
    n_bytes = sum(path.lstat().st_size for path in folder.iterdir())
    assert (n_bytes < 2000) == (scratch is not None)  # links alone, or the weights


def test_a_model_that_is_saved_again_leaves_no_other_behind(tuned):
    tuned()
    model, folder, scratch = tuned(change=2.0)
    assert torch.equal(load_model(folder).get_input_embeddings().weight, model.get_input_embeddings().weight)
    assert scratch is None or len(list(scratch.iterdir())) == 1


def test_once_measured_a_folder_is_empty_and_says_what_to_do(tuned):
    _, folder, scratch = tuned()
    drop_weights(folder)
    assert folder.is_dir() and not list(folder.iterdir())
    assert scratch is None or not list(scratch.iterdir())
    with pytest.raises(UserError, match=r"there is no model in .*\nhint: .*delete the folder, .* tunes it again"):
        load_model(folder)


def test_a_model_on_the_scratch_of_another_node_is_named(checkpoint, tmp_path):
    save_model(load_model(checkpoint), checkpoint, tmp_path / "tuned", scratch=tmp_path / "scratch")
    shutil.rmtree(tmp_path / "scratch")
    with pytest.raises(UserError, match=r"is on another node: .*scratch.*\nhint: .*`groups`"):
        load_model(tmp_path / "tuned")


def test_a_scratch_that_cannot_be_written_is_refused(checkpoint, tmp_path):
    (tmp_path / "file").touch()
    model = load_model(checkpoint)
    with pytest.raises(UserError, match=r"the scratch folder .*file cannot be written: .*\nhint: "):
        save_model(model, checkpoint, tmp_path / "tuned", scratch=tmp_path / "file")
    assert not (tmp_path / "tuned").exists()


def test_a_text_model_of_several_media_loads_again_as_what_it_came_from(tmp_path):
    # the class of its text config is none that AutoModelForCausalLM knows
    (tmp_path / "mllama").mkdir()
    model_zoo.tiny_model("mllama").save_pretrained(tmp_path / "mllama")
    model_zoo.tiny_config("mllama").save_pretrained(tmp_path / "mllama")
    model = load_model(tmp_path / "mllama")
    save_model(model, tmp_path / "mllama", tmp_path / "tuned")
    again = load_model(tmp_path / "tuned")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_of_links_the_links_alone_go_and_what_is_not_named_stays(checkpoint, tmp_path):
    base = shutil.copytree(checkpoint, tmp_path / "base")
    save_model(load_model(checkpoint), checkpoint, folder := tmp_path / "tuned")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(base / "config.json")
    (folder / "notes.txt").write_text("mine")
    (folder / "mine").mkdir()
    drop_weights(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["mine", "notes.txt"]
    assert {path.name for path in base.iterdir()} == {path.name for path in checkpoint.iterdir()}


def test_a_scratch_of_another_output_or_of_nobody_is_left(checkpoint, tmp_path):
    model, scratch = load_model(checkpoint), tmp_path / "scratch"
    for name in ("one", "two"):
        save_model(model, checkpoint, tmp_path / name, scratch=scratch)
    for path in (tmp_path / "one").iterdir():
        if path.is_symlink():
            target = (tmp_path / "two" / path.name).readlink()
            path.unlink()
            path.symlink_to(target)
    drop_weights(tmp_path / "one")
    assert load_model(tmp_path / "two") and len(list(scratch.iterdir())) == 2


@pytest.mark.parametrize("kind", ["of the user's", "a link"])
def test_a_place_on_scratch_that_was_not_made_here_is_left(checkpoint, tmp_path, kind):
    place = scratch_place(tmp_path / "tuned", tmp_path / "scratch")
    shutil.rmtree(place)
    mine = tmp_path / "mine"
    (place if kind != "a link" else mine).mkdir()
    if kind == "a link":
        place.symlink_to(mine)
    else:
        (place / "notes.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"the scratch folder .* is in use, .*\nhint: "):
        save_model(load_model(checkpoint), checkpoint, tmp_path / "tuned", scratch=tmp_path / "scratch")
    assert sorted(tmp_path.rglob("*")) == before


def link_to_tuned(folder, tuned):
    folder.symlink_to(tuned)


def copy_without_mark(folder, tuned):
    shutil.copytree(tuned, folder, ignore=lambda *_: [MARK])


def mark_of_another_kind(folder, tuned):
    with whole(folder) as made:
        shutil.copytree(tuned, made)


def damaged_mark(folder, tuned):
    shutil.copytree(tuned, folder)
    (folder / MARK).write_text("{")


@pytest.mark.parametrize("make", [link_to_tuned, copy_without_mark, mark_of_another_kind, damaged_mark])
def test_only_a_folder_that_was_made_as_a_tuned_model_is_emptied(checkpoint, tmp_path, make):
    save_model(load_model(checkpoint), checkpoint, tmp_path / "tuned")
    make(tmp_path / "folder", tmp_path / "tuned")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"was not tuned here, and is not deleted\nhint: "):
        drop_weights(tmp_path / "folder")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_mark_that_names_files_elsewhere_deletes_none_of_them(checkpoint, tmp_path):
    save_model(load_model(checkpoint), checkpoint, folder := tmp_path / "tuned")
    (tmp_path / "notes.txt").write_text("mine")
    mark = read_json(folder / MARK)
    mark["files"] |= {"../notes.txt": 4, str(tmp_path / "notes.txt"): 4, "..": 0}
    (folder / MARK).write_text(json.dumps(mark))
    drop_weights(folder)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("named", [None, [0, 7]])
def test_a_tuned_model_ends_its_texts_where_the_checkpoint_does(checkpoint, tmp_path, named):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    config = read_json(folder / "config.json")
    del config["eos_token_id"]  # of which the class of a Llama has a number of its own
    write_json(folder / "config.json", config | {"dtype": "bfloat16"})
    (folder / "generation_config.json").unlink()
    if named:
        write_json(folder / "generation_config.json", {"eos_token_id": named})
    model = load_model(folder)
    save_model(model, folder, tmp_path / "tuned")
    assert end_tokens(tmp_path / "tuned") == end_tokens(folder) == frozenset(named or ())
    assert read_json(tmp_path / "tuned" / "config.json") == config | {"dtype": "float32"}
