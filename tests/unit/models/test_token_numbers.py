"""One number is one token, and it is the one that the file of the tokenizer says."""

import json
import logging
import shutil

import pytest

from ripeness.models.gate.folder import check_folder
from ripeness.models.tokens import encode, load_tokenizer
from ripeness.runtime.errors import UserError


@pytest.fixture
def folder(tmp_path, checkpoint):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def added(content, number, *, special=True):
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return {"id": number, "content": content, "special": special} | flags


def change_tokenizer(folder, change):
    path = folder / "tokenizer.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


def change_configuration(folder, name, change):
    path = folder / name
    said = json.loads(path.read_text()) if path.is_file() else {}
    change(said)
    path.write_text(json.dumps(said))


def highest(said):
    return max([*said["model"]["vocab"].values(), *(token["id"] for token in said["added_tokens"])])


def two_words_of_one_number(said):
    words = list(said["model"]["vocab"])
    said["model"]["vocab"][words[-1]] = said["model"]["vocab"][words[-2]]


def an_added_token_after_a_gap(said):
    said["added_tokens"].append(added("<|user|>", highest(said) + 5))


def two_added_tokens_of_one_number(said):
    number = highest(said) + 1
    said["added_tokens"] += [added("<|user|>", number), added("<|other|>", number)]


def an_added_token_in_the_place_of_a_word(said):
    number = next(iter(said["model"]["vocab"].values()))
    said["added_tokens"].append(added("<|user|>", number + 40))


def an_added_token_that_is_a_word_of_another_number(said):
    word = list(said["model"]["vocab"])[-1]
    said["added_tokens"].append(added(word, highest(said) + 1))


WRONG = [
    two_words_of_one_number,
    an_added_token_after_a_gap,
    two_added_tokens_of_one_number,
    an_added_token_in_the_place_of_a_word,
    an_added_token_that_is_a_word_of_another_number,
]


@pytest.mark.parametrize("change", WRONG)
def test_a_number_of_two_tokens_or_that_is_read_otherwise_is_refused(folder, change):
    change_tokenizer(folder, change)
    with pytest.raises(
        UserError, match=r"tokenizer.json gives the (number \d+ to two tokens|token .* but it is read as)"
    ):
        check_folder(folder)


def test_added_tokens_that_follow_on_are_read_as_they_are(folder):
    change_tokenizer(folder, lambda said: said["added_tokens"].append(added("<|user|>", highest(said) + 1)))
    found = check_folder(folder)
    assert found["n_id_gaps"] == 0
    tokenizer = load_tokenizer(folder)
    assert encode(tokenizer, ["<|user|>"]) == [[found["n_vocabulary"] - 1]]


@pytest.mark.parametrize("name", ["tokenizer_config.json", "added_tokens.json"])
def test_a_configuration_that_contradicts_the_file_is_refused(folder, name):
    change_tokenizer(folder, lambda said: said["added_tokens"].append(added("<|user|>", highest(said) + 1)))
    entry = added("<|user|>", 0)
    del entry["id"]
    said = {"added_tokens_decoder": {"3": entry}} if name == "tokenizer_config.json" else {"<|user|>": 3}
    change_configuration(folder, name, lambda config: config.update(said))
    with pytest.raises(UserError, match="its configuration gives the token '<|user|>' the number 3, but it is read as"):
        check_folder(folder)


def test_a_token_that_only_the_configuration_knows_is_said(folder, caplog):
    number = len(load_tokenizer(folder))
    entry = added("<|user|>", number)
    del entry["id"]
    change_configuration(
        folder, "tokenizer_config.json", lambda said: said.update({"added_tokens_decoder": {str(number): entry}})
    )
    with caplog.at_level(logging.INFO):
        check_folder(folder)
    assert "numbers of tools that use AutoTokenizer may differ" in caplog.text
