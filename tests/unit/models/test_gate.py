"""The gate refuses checkpoints that transformers would load with a shrug, and says what is wrong with them."""

import json
import shutil

import model_zoo
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ripeness.models.gate.folder import INDEX, PROBE, check_folder
from ripeness.models.gate.loss import read_text
from ripeness.models.tokens import encode, load_tokenizer
from ripeness.runtime.errors import UserError

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path, checkpoint):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def change_tensors(folder, change):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def change_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def refused(folder):
    """Return the message of the refusal, which names the folder and gives a hint."""
    with pytest.raises(UserError) as error:
        check_folder(folder)
    message = str(error.value)
    assert message.startswith(f"the checkpoint {folder}: ")
    assert message.splitlines()[-1].startswith("hint: ")
    return message


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


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
@pytest.mark.parametrize(("ids", "strange"), [(50256, "50256"), ([0, 384, 50256], "384, 50256"), (-1, "-1"), (383, "")])
def test_an_end_of_text_that_is_no_token_is_named_and_ignored(folder, caplog, file, ids, strange):
    (folder / "generation_config.json").write_text("{}")
    change_config(folder, eos_token_id=None)
    said = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(said | {"eos_token_id": ids}))
    check_folder(folder)
    seen = f"{file} ends texts at {strange} (eos_token_id), but its model has the tokens 0 to 383"
    assert (seen in caplog.text) is bool(strange)


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


def test_a_damaged_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer.json cannot be read" in refused(folder)


def test_a_tokenizer_with_more_tokens_than_the_model_embeds_is_refused(folder, tokenizer):
    n_rows = 384
    larger = PreTrainedTokenizerFast.from_pretrained(folder)
    larger.add_tokens([f"extra{n}" for n in range(n_rows - len(larger))])
    larger.save_pretrained(folder)
    assert check_folder(folder)["n_tensors"]  # as many as rows are well
    larger.add_tokens(["one too many"])
    larger.save_pretrained(folder)
    assert "the tokenizer has a token of number 384 ('one too many'), but the model embeds 384" in refused(folder)


def write_tokenizer(folder, change=None, **config):
    """Change the folder's tokenizer.json, and write a configuration of the tokenizer."""
    data = json.loads((folder / "tokenizer.json").read_text())
    if change:
        change(data)
    (folder / "tokenizer.json").write_text(json.dumps(data))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"} | config
    (folder / "tokenizer_config.json").write_text(json.dumps(said))


def test_numbers_of_tokens_may_have_gaps_that_are_stated_but_not_pass_the_rows(folder):
    def move_last(number):
        def change(data):
            vocabulary = data["model"]["vocab"]
            vocabulary[max(vocabulary, key=vocabulary.get)] = number

        return change

    write_tokenizer(folder, move_last(383))
    found = check_folder(folder)
    assert (found["n_vocabulary"], found["n_id_gaps"], found["n_spare_rows"]) == (317, 384 - 317, 0)
    write_tokenizer(folder, move_last(384))  # still fewer tokens than rows
    assert "has a token of number 384" in refused(folder)


def split_digits(data):
    """Cut numbers into digits, as the class of another model would not."""
    words = [{"type": "Digits", "individual_digits": True}, data["pre_tokenizer"]]
    data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": words}


@pytest.mark.parametrize("change", [None, split_digits, lambda data: data.update(normalizer={"type": "Lowercase"})])
@pytest.mark.parametrize("named", ["GPT2Tokenizer", "Qwen2Tokenizer", "LlamaTokenizer", "PreTrainedTokenizerFast"])
def test_the_tokenizer_is_that_of_its_file_whatever_class_is_named(folder, change, named):
    write_tokenizer(folder, change, tokenizer_class=named)
    assert check_folder(folder)["n_vocabulary"] == 317
    text = "the film WAS 2024 long"
    expected = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert encode(load_tokenizer(folder), [text]) == [expected]


@pytest.mark.parametrize(("normalizer", "is_said"), [("Lowercase", True), ("NFC", True), (None, False)])
def test_the_gate_says_where_autotokenizer_would_read_another_tokenizer(folder, caplog, normalizer, is_said):
    own = {"normalizer": normalizer and {"type": normalizer}}
    write_tokenizer(folder, lambda data: data.update(own), tokenizer_class="GPT2Tokenizer")
    check_folder(folder)
    assert ("AutoTokenizer of transformers makes" in caplog.text) == is_said


@pytest.mark.parametrize(
    "limit",
    [
        {"truncation": {"direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0}},
        {
            "padding": {
                "strategy": {"Fixed": 512}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "<|endoftext|>",
            },
        },
    ],
)  # fmt: skip
def test_a_length_that_a_tokenizer_was_saved_with_does_not_count(folder, caplog, limit):
    before = encode(load_tokenizer(folder), [PROBE])
    write_tokenizer(folder, lambda data: data.update(limit))
    check_folder(folder)
    assert encode(load_tokenizer(folder), [PROBE]) == before and len(before[0]) > 100
    assert "AutoTokenizer" not in caplog.text


@pytest.mark.parametrize(
    "config",
    [
        {"added_tokens_decoder": {"317": {"content": "film", "special": False, "normalized": False}}},
        {"additional_special_tokens": ["film"]},
        {"pad_token": "film"},
        {"split_special_tokens": True},
    ],
)
def test_what_a_configuration_adds_to_the_tokenizer_of_the_file_is_left_out(folder, config):
    write_tokenizer(folder, **config)
    assert check_folder(folder)["n_vocabulary"] == 317
    text = "the film was<|endoftext|> long"
    expected = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    assert encode(load_tokenizer(folder), [text]) == [expected]


def test_an_end_of_text_that_the_file_does_not_know_is_refused(folder):
    write_tokenizer(folder, eos_token="</s>")
    assert "tokenizer.json does not know the end-of-text token '</s>'" in refused(folder)


def test_special_tokens_that_only_a_class_knows_are_taken_from_it(folder):
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')  # as in GPT-2's own folder
    assert load_tokenizer(folder).eos_token == "<|endoftext|>"


def test_a_tokenizer_that_fails_at_unknown_words_is_refused(folder):
    words = Tokenizer(models.WordLevel({"<|endoftext|>": 0, "film": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|endoftext|>").save_pretrained(folder)
    assert "cannot read a text: WordLevel error: Missing [UNK]" in refused(folder)


def test_a_byte_order_mark_is_no_part_of_the_text_of_the_gate(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + b"A line of words. " * 20)
    assert read_text(tmp_path / "a.txt").startswith("A line")


def test_a_tokenizer_without_end_of_text_is_refused(folder, tokenizer):
    PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer).save_pretrained(folder)
    assert "no end-of-text token" in refused(folder)


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
