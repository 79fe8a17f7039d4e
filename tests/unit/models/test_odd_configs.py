"""A config may say how its owner used the model; the model is the same, and is saved and loaded again."""

import json
import math
import shutil

import model_zoo
import pytest
import torch
from plain_passes import SETTINGS, SHORT, examples, save, training_differs

from ripeness.models.gate.folder import check_folder
from ripeness.models.load import load_model
from ripeness.models.tuned_weights import save_model
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import train

CONFIGS = {
    "a pass returns a tuple": {"return_dict": False},
    "attentions are returned": {"output_attentions": True},
    "states are returned": {"output_hidden_states": True},
    "a library that is not there": {"_attn_implementation": "flash_attention_2"},
    "the same by its newer name": {"attn_implementation": "flash_attention_2"},
    "a remote kernel": {"attn_implementation": "kernels-community/flash-attn"},
    "TorchScript": {"torchscript": True},
    "half precision": {"dtype": "float16", "torch_dtype": "bfloat16"},
    "code of its own": {"auto_map": {"AutoModelForCausalLM": "modeling_x.X", "AutoConfig": "configuration_x.X"}},
    "another class": {"architectures": ["LlamaForSequenceClassification"], "num_labels": 7},
}
GENERATION = {
    "as Llama 2 has it": {"temperature": 0.9, "top_p": 0.6, "do_sample": False},
    "beams without beams": {"length_penalty": 2.0, "early_stopping": True, "num_beams": 1},
    "penalties": {"repetition_penalty": 3.0, "suppress_tokens": [5, 6, 7], "max_length": 1},
}


def losses_of(folder):
    return train(load_model(folder), examples(SHORT), read_settings(SETTINGS), pad=0).losses


def logits(folder):
    with torch.inference_mode():
        return load_model(folder)(input_ids=torch.tensor([[5, 6, 7, 8]]), use_cache=False).logits


def same_after_saving(checkpoint, folder):
    check_folder(folder)
    expected = logits(checkpoint)
    assert torch.equal(logits(folder), expected)
    save_model(load_model(folder), folder, folder.with_name("tuned"))
    assert torch.equal(logits(folder.with_name("tuned")), expected)


@pytest.fixture
def folder(tmp_path, checkpoint):
    return shutil.copytree(checkpoint, tmp_path / "copy")


@pytest.mark.parametrize("name", CONFIGS)
def test_what_a_config_says_of_its_use_changes_nothing(checkpoint, folder, name):
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(said | CONFIGS[name]))
    same_after_saving(checkpoint, folder)


def test_a_config_with_checkpoints_of_gradients_is_trained_as_others(tmp_path):
    config = model_zoo.tiny_config("llama")
    save(model_zoo.tiny_model("llama"), tmp_path / "a", config)
    said = json.loads((tmp_path / "a/config.json").read_text())
    (tmp_path / "a/config.json").write_text(json.dumps(said | {"gradient_checkpointing": True}))
    assert training_differs(tmp_path / "a", SHORT) < 1e-3


def test_a_layer_that_is_left_out_by_chance_may_be_the_last(tmp_path):
    save(model_zoo.tiny_model("opt", layerdrop=0.5), tmp_path, model_zoo.tiny_config("opt", layerdrop=0.5))
    assert all(math.isfinite(loss) for loss in losses_of(tmp_path))


@pytest.mark.parametrize("name", GENERATION)
def test_settings_of_generation_that_transformers_saves_no_model_with_are_kept(checkpoint, folder, name):
    (folder / "generation_config.json").write_text(json.dumps(GENERATION[name]))
    same_after_saving(checkpoint, folder)
    kept = json.loads((folder.with_name("tuned") / "generation_config.json").read_text())
    assert kept == GENERATION[name]
