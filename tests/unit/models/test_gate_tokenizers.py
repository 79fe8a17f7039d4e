"""The gate refuses tokenizers that the model cannot use, and reads the others from their file."""

import json

import pytest
from changed_checkpoints import change_config, refused
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ripeness.models.gate.folder import PROBE, check_folder
from ripeness.models.gate.loss import read_text
from ripeness.models.tokens import encode, load_tokenizer


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
