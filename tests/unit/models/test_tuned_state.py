"""A small tuned state next to its checkpoint: merged when it is loaded, to the same bytes, and into no other model."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from ripeness.models.load import load_model, read_checkpoint
from ripeness.models.methods.register import attach
from ripeness.models.tokens import load_tokenizer
from ripeness.models.tuned_state import RECORD, STATE, Tuned, fingerprint_of, is_small
from ripeness.models.tuned_weights import drop_weights, save_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.methods.lora import LoraSettings

LORA = LoraSettings(learning_rate=1e-2, epochs=1, batch_size=1, seed=1, rank=4, alpha=10.0)


@torch.no_grad()
def learned(model):
    """Put adapters into a model, let them learn something, and merge them; give their state."""
    attached = attach(model, LORA)
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            weight.normal_(std=0.3)
    state = attached.state()
    attached.merge()
    return state


def bits(model):
    return {name: weight.detach().contiguous().view(torch.uint8) for name, weight in model.state_dict().items()}


def assert_same_bytes(model, other):
    ours, theirs = bits(model), bits(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.fixture
def tuned(checkpoint, tmp_path):
    """A checkpoint, the folder of a small state next to it, and the model that this state stands for."""
    base, folder = shutil.copytree(checkpoint, tmp_path / "study/base"), tmp_path / "study/cells/tuned"
    model = load_model(base)
    fingerprint = fingerprint_of(model)
    save_model(model, base, folder, tuned=Tuned(LORA, learned(model), fingerprint))
    return base, folder, model


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True}),
        ("gpt2", {}),  # Conv1D, and tied
        ("gpt_neox", {}),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_state_that_is_loaded_and_merged_gives_the_bytes_of_the_merge_after_training(
    tiny_model, architecture, settings, dtype
):
    model, again, start = (tiny_model(architecture, **settings).to(dtype) for _ in range(3))
    state = learned(model)
    attached = attach(again, LORA)
    attached.load(state)
    attached.merge()
    assert_same_bytes(again, model)
    moved = {n for (n, a), b in zip(model.named_parameters(), start.parameters(), strict=True) if not torch.equal(a, b)}
    assert moved == {name.partition(".lora_")[0] + ".weight" for name in state}


@pytest.mark.parametrize(
    ("architecture", "settings", "dtype"),
    [
        ("llama", {}, torch.float32),
        ("llama", {"tie_word_embeddings": True}, torch.bfloat16),
        ("gpt2", {}, torch.float32),
    ],
)
def test_a_folder_with_a_state_loads_as_the_model_that_was_trained(
    tiny_model, checkpoint, tmp_path, architecture, settings, dtype
):
    base = tmp_path / "base"
    shutil.copytree(checkpoint, base, ignore=shutil.ignore_patterns("*.safetensors", "*config.json"))
    tiny_model(architecture, **settings).to(dtype).save_pretrained(base)
    model = load_model(base)
    fingerprint, before = fingerprint_of(model), torch.get_rng_state()
    save_model(model, base, tmp_path / "tuned", tuned=Tuned(LORA, learned(model), fingerprint))
    torch.set_rng_state(before)
    again = load_model(tmp_path / "tuned")
    assert torch.equal(torch.get_rng_state(), before)  # adapters start at random, and nothing else notices
    assert_same_bytes(again, model)
    assert not again.training and all(weight.requires_grad for weight in again.parameters())
    assert again.name_or_path == str(tmp_path / "tuned")


def test_a_folder_with_a_state_is_small_and_has_all_but_the_weights(tuned):
    base, folder, model = tuned
    assert is_small(folder) and not is_small(base)
    assert not (folder / "model.safetensors").exists()
    assert (folder / STATE).stat().st_size < (base / "model.safetensors").stat().st_size / 2
    assert load_tokenizer(folder).get_vocab() == load_tokenizer(base).get_vocab()
    assert read_checkpoint(folder) == read_checkpoint(base)
    record = read_json(folder / RECORD)
    assert (record["settings"]["kind"], record["settings"]["rank"]) == ("lora", 4)
    assert record["checkpoint"]["path"] == "../../base"
    drop_weights(folder)
    assert folder.is_dir() and not list(folder.iterdir())
    assert load_model(base)


def test_a_state_on_scratch_finds_its_checkpoint_from_where_its_links_are(tuned, tmp_path):
    base, folder, model = tuned
    place, fresh = tmp_path / "study/cells/scratched", load_model(base)
    state = Tuned(LORA, learned(fresh), fingerprint_of(load_model(base)))
    save_model(fresh, base, place, scratch=tmp_path / "scratch", tuned=state)
    assert (place / STATE).is_symlink()
    assert_same_bytes(load_model(place), fresh)
    drop_weights(place)
    assert not list((tmp_path / "scratch").iterdir())


def test_a_study_that_is_moved_as_a_whole_or_reached_through_a_link_still_loads(tuned, tmp_path):
    _, _, model = tuned
    (tmp_path / "study").rename(tmp_path / "moved")
    (tmp_path / "link").symlink_to(tmp_path / "moved/cells/tuned")
    for folder in (tmp_path / "moved/cells/tuned", tmp_path / "link"):
        assert_same_bytes(load_model(folder), model)


def test_a_state_whose_checkpoint_is_gone_says_where_it_was(tuned):
    base, folder, model = tuned
    base.rename(base.with_name("elsewhere"))
    with pytest.raises(UserError, match=r"that .*tuned was tuned from is not at .*/study/base\nhint: "):
        load_model(folder)
    record = read_json(folder / RECORD)
    record["checkpoint"]["path"] = "../../elsewhere"  # as the hint says
    (folder / RECORD).write_text(json.dumps(record))
    assert_same_bytes(load_model(folder), model)


def test_a_state_is_put_into_no_other_weights(tuned):
    base, folder, _ = tuned
    tensors = load_file(base / "model.safetensors")
    name = next(name for name in tensors if "embed" in name)
    tensors[name][0, 0] += 1e-6
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"tuned was tuned from other weights than those in .*/base\nhint: "):
        load_model(folder)


def test_the_fingerprint_is_of_values_and_not_of_how_they_are_stored(tiny_model):
    model = tiny_model("llama").bfloat16()
    wide = tiny_model("llama").bfloat16().float()
    assert fingerprint_of(model) == fingerprint_of(wide)
    with torch.no_grad():
        first, second = wide.model.layers[0].mlp.up_proj.weight, wide.model.layers[1].mlp.up_proj.weight
        swapped = first.clone(), second.clone()
        first.copy_(swapped[1])
        second.copy_(swapped[0])
    assert fingerprint_of(model) != fingerprint_of(wide)


def test_a_state_that_is_cut_is_named(tuned):
    _, folder, _ = tuned
    (folder / STATE).write_bytes((folder / STATE).read_bytes()[:-100])
    with pytest.raises(UserError, match=rf"{STATE} cannot be read: .*\nhint: delete it; "):
        load_model(folder)
    (folder / STATE).unlink()
    with pytest.raises(UserError, match=rf"there is no .*{STATE}\nhint: "):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"settings": {"kind": "nonesuch", "tokens": 8}},
            "unknown kind 'nonesuch'; known are full, lora, .*\nhint: a newer ",
        ),
        ({"settings": {"kind": "lora"}}, "tuned.json: the settings have no 'alpha', .* no 'rank', no 'seed'\nhint: "),
        ({"settings": []}, "tuned.json cannot be read: it lacks the kind of the settings\nhint: "),
        ({"checkpoint": {"path": "../../base"}}, "cannot be read: it lacks the fingerprint of the checkpoint\nhint: "),
        (
            {"settings": vars(LORA) | {"rank": 2}},
            f"{STATE} cannot be read: it is of another model: .* has shape",
        ),
        ({"settings": vars(LORA) | {"modules": ["q_proj"]}}, f"{STATE} cannot be read: .* is not in both"),
        ({"settings": vars(LORA) | {"use_dora": True}}, "tuned.json: .* unknown 'use_dora'\nhint: another version"),
    ],
)
def test_a_record_that_does_not_go_with_its_state_is_named(tuned, change, message):
    _, folder, _ = tuned
    record = read_json(folder / RECORD) | change
    (folder / RECORD).write_text(json.dumps(record))
    with pytest.raises(UserError, match=message):
        load_model(folder)
