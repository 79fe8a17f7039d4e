"""The gate refuses checkpoints that transformers would load without a word, and says why."""

import json

import model_zoo
import pytest
import torch
from changed_checkpoints import WEIGHTS, change_config, change_tensors, refused
from safetensors.torch import load_file, save_file

from ripeness.models.gate.folder import INDEX, check_folder


def test_a_whole_checkpoint_passes(checkpoint, tiny_model):
    model = tiny_model("llama")
    expected = {
        "n_parameters": sum(weights.numel() for weights in model.parameters()),
        "n_tensors": len(model.state_dict()),
        "n_vocabulary": 317,
        "n_id_gaps": 0,
        "n_spare_rows": 384 - 317,
    }
    assert check_folder(checkpoint) == expected


def test_a_missing_tensor_is_named(folder):
    change_tensors(folder, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    assert "1 tensors are missing (e.g. ['model.layers.1.mlp.up_proj.weight'])" in refused(folder)


def test_an_output_layer_that_is_not_tied_may_not_be_missing(folder):
    # transformers lists it among the tied weights of the architecture whether or not the config ties it
    change_tensors(folder, lambda tensors: tensors.pop("lm_head.weight"))
    assert "lm_head.weight" in refused(folder)


def test_an_unexpected_tensor_is_named(folder):
    change_tensors(folder, lambda tensors: tensors.update({"model.layers.7.odd": torch.zeros(2)}))
    assert "1 unexpected (e.g. ['model.layers.7.odd'])" in refused(folder)


def test_a_tensor_of_another_shape_is_named(folder):
    change_tensors(folder, lambda tensors: tensors.update({"model.norm.weight": torch.ones(16)}))
    assert "model.norm.weight is (16,), but the model has (32,)" in refused(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(folder, value):
    def spoil(tensors):
        tensors["model.layers.0.mlp.up_proj.weight"][3, 4] = value

    change_tensors(folder, spoil)
    assert "tensor model.layers.0.mlp.up_proj.weight contains infinite or undefined numbers" in refused(folder)


@pytest.mark.parametrize("n_bytes", [4, 300, -10])
def test_weights_cut_short_are_refused(folder, n_bytes):
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:n_bytes])
    assert f"{WEIGHTS} cannot be read" in refused(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", WEIGHTS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert f"there is no {name}" in refused(folder)


def test_pickled_weights_are_never_read(folder):
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    assert "weights are read from safetensors only" in refused(folder)


@pytest.mark.parametrize(
    "values",
    [{"model_type": "no-such-model"}, {"model_type": "t5"}, {"hidden_size": "wide"}, {"num_attention_heads": 0}],
    ids=["unknown", "no language model", "no number", "no heads"],
)
def test_a_config_of_something_else_is_refused(folder, values):
    change_config(folder, **values)
    assert "config.json is not that of a causal language model" in refused(folder)


def test_tied_weights_pass(folder, tiny_model):
    tiny_model("llama", tie_word_embeddings=True).save_pretrained(folder)
    assert "lm_head.weight" not in load_file(folder / WEIGHTS)
    assert check_folder(folder)["n_tensors"] == len(load_file(folder / WEIGHTS))


def test_buffers_that_older_versions_saved_pass(folder, tiny_model):
    # the Pythia checkpoints carry them
    tiny_model("gpt_neox").save_pretrained(folder)
    older = {
        "gpt_neox.layers.0.attention.bias": torch.ones(1, 1, 4, 4, dtype=torch.bool),
        "gpt_neox.layers.0.attention.masked_bias": torch.tensor(-1e9),
        "gpt_neox.layers.0.attention.rotary_emb.inv_freq": torch.ones(2),
    }
    change_tensors(folder, lambda tensors: tensors.update(older))
    assert check_folder(folder)["n_parameters"]


def test_names_without_the_prefix_of_the_model_pass(folder, tiny_model):
    # GPT-2 lies so on the hub
    tiny_model("gpt2").save_pretrained(folder)
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    assert "wte.weight" in tensors
    assert check_folder(folder)["n_tensors"] == len(tensors)


def shard(folder):
    """Split the weights into two files with an index, as large models come."""
    tensors = load_file(folder / WEIGHTS)
    weight_map = {name: f"model-0000{number % 2 + 1}-of-00002.safetensors" for number, name in enumerate(tensors)}
    for file in set(weight_map.values()):
        part = {name: tensors[name] for name in tensors if weight_map[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def test_weights_in_several_files_pass(folder, checkpoint):
    shard(folder)
    assert check_folder(folder) == check_folder(checkpoint)


def test_a_missing_part_of_the_weights_is_named(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "there is no model-00002-of-00002.safetensors" in refused(folder)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "has no weight_map"),
        ('{"weight_map": []}', "has no weight_map"),
        ('{"weight_map": {"a": "../model.safetensors"}}', "names '../model.safetensors'"),
    ],
)
def test_a_damaged_index_is_refused(folder, index, message):
    (folder / INDEX).write_text(index)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocab_size", 10**8),
        ("vocab_size", 10**9),
        ("hidden_size", 10**9),
        ("intermediate_size", 2 * 10**9),
        ("num_hidden_layers", 10**6),
    ],
)
def test_sizes_beyond_the_weights_are_refused_before_memory_is_claimed(folder, name, value):
    change_config(folder, **{name: value})
    message = refused(folder)
    assert f"config.json has {name} {value:,}, but the weights are " in message
    assert message.endswith("hint: config.json is that of another model")


def test_a_model_far_larger_than_its_weights_is_refused_before_memory_is_claimed(folder):
    change_config(folder, hidden_size=2048, intermediate_size=4096)
    message = refused(folder)
    assert "config.json describes " in message
    assert ": tensor model.layers." in message and ", but the model has (4096, 2048)" in message


def test_a_table_of_positions_beyond_the_weights_is_refused(folder, tiny_model):
    tiny_model("gpt2").save_pretrained(folder)
    change_config(folder, n_positions=10**8)
    assert "tensor transformer.wpe.weight is (64, 32), but the model has (100000000, 32)" in refused(folder)


def test_a_model_a_little_larger_than_its_weights_is_compared_tensor_by_tensor(folder):
    change_config(folder, intermediate_size=64)
    assert "tensor model.layers.0.mlp.down_proj.weight is (32, 48), but the model has (32, 64)" in refused(folder)


def test_a_checkpoint_of_several_media_passes_by_its_text_config(folder):
    model = model_zoo.tiny_model("gemma3", text_config={"vocab_size": 384})
    model.save_pretrained(folder)
    assert check_folder(folder)["n_parameters"] == sum(weights.numel() for weights in model.parameters())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_position_embeddings": 0}, "config.json has max_position_embeddings 0"),
        ({"max_position_embeddings": 1}, "config.json has max_position_embeddings 1"),
        ({"max_position_embeddings": -5}, "config.json has max_position_embeddings -5"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "quantised"),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(folder, values, words):
    change_config(folder, **values)
    assert words in refused(folder)
