"""show_item: one item of any task as a model will see it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dataset_rows import read

import show_item
from ripeness.data.rows import write_rows
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wide(checkpoint, tmp_path_factory):
    """Copy the tiny checkpoint without its weights, with a window in which everything fits."""
    folder = tmp_path_factory.mktemp("wide") / "step8"
    shutil.copytree(checkpoint, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    write_json(folder / "config.json", read_json(folder / "config.json") | {"max_position_embeddings": 4096})
    return folder


@pytest.fixture
def rows_file(tmp_path):
    """Give a function that writes the rows of a task and returns the file."""

    def write(name):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in read(name)["rows"]))
        return str(file)

    return write


@pytest.fixture
def show(wide, capsys, tmp_path, monkeypatch):
    """Give a function that runs the program away from any study and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*words, checkpoint=wide):
        show_item.main([*words, *(["--checkpoint", str(checkpoint)] if checkpoint else [])])
        return capsys.readouterr().out

    return run


def test_a_terminal_without_a_sign_of_the_item_shows_the_rest(wide, tmp_path):
    rows = read("rte")["rows"]
    lines = [json.dumps(row | {"sentence1": "A fall of \u2212 5."}) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    command = [sys.executable, ROOT / "scripts/show_item.py", "rte", "--rows", "rows.jsonl", "--checkpoint", wide]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "A fall of ? 5." in done.stdout


def test_an_item_that_does_not_fit_is_shown_all_the_same_and_that_is_said(show, wide, tmp_path, capsys, rows_file):
    narrow = tmp_path / "narrow"
    shutil.copytree(wide, narrow)
    write_json(narrow / "config.json", read_json(narrow / "config.json") | {"max_position_embeddings": 16})
    show_item.main(["rte", "--shots", "2", "--rows", rows_file("rte"), "--checkpoint", str(narrow)])
    said = capsys.readouterr()
    assert "does not fit: item 'rte.jsonl:" in said.err and "the model reads 16\nhint: " in said.err
    assert said.out == show("rte", "--shots", "2", "--rows", rows_file("rte")).replace(str(wide), str(narrow))


def test_an_item_is_shown_with_its_tokens_options_and_gold(show, tokenizer, rows_file):
    said = show("rte", "--format", "instruct", "--shots", "2", "--rows", rows_file("rte"))
    assert said.startswith("rte, instruct, 2 shots, item rte.jsonl:")
    text = "\n".join(line[4:] for line in said.splitlines() if line.startswith("  | "))
    instruction = "Read the premise and say whether the hypothesis is true or false.\n"
    assert text.count(instruction) == 3 and text.endswith("\nAnswer:")
    assert f"tokens: {len(tokenizer(text)['input_ids'])}\n" in said
    assert "scored: the log-likelihood of every option, normalisation none\n" in said
    (gold,) = [line for line in said.splitlines() if line.endswith("<- gold")]
    assert (
        gold.split(",")[0].strip()
        == {"entailment": "' true'", "not_entailment": "' false'"}[
            said.splitlines()[-1].removeprefix("gold: ").strip("'")
        ]
    )
    tokens = tokenizer(" false")["input_ids"]
    pieces = zip(tokens, tokenizer.convert_ids_to_tokens(tokens), strict=True)
    assert "\n    " + " ".join(f"{token}:{piece}" for token, piece in pieces) + "\n" in said


def test_other_numbers_are_other_items_and_the_last_is_said(show, rows_file):
    rows = ["arc-challenge", "--rows", rows_file("arc-challenge")]
    firsts = {show(*rows, "--item", str(number)).splitlines()[0] for number in range(1, 9)}
    assert len(firsts) == 8
    with pytest.raises(UserError, match=r"there is no test item 12; there are 9\nhint: --item counts from 1"):
        show(*rows, "--item", "12")


def test_what_pmi_takes_off_a_letter_and_a_text_are_shown_as_they_are_scored(show, rows_file):
    rows = ["arc-challenge", "--rows", rows_file("arc-challenge")]
    assert "normalisation pmi\n" in show(*rows) and "less that after 'Answer:'\n" in show(*rows)
    lettered = show(*rows, "--format", "lettered")
    assert "normalisation none\n" in lettered and "  ' A', " in lettered and "less that" not in lettered
    said = show("tweetqa", "--rows", rows_file("tweetqa"))
    assert "generated: at most 30 tokens, up to the end of text or before '\\n'\nright: " in said


def test_a_chat_says_which_template_words_it_and_where_an_answer_ends(show, rows_file):
    said = show("tulu", "--format", "chat", "--rows", rows_file("tulu"))
    assert "worded by: lines `User: ...` and `Assistant: ...`" in said and "  | Assistant:" in said
    (learned,) = [line for line in said.splitlines() if line.startswith("learned when tuned on: ")]
    assert "<|endoftext|>" in learned


def test_items_of_the_nursery_are_made_on_the_spot_and_fetched_ones_are_found(show, tmp_path):
    assert show("nursery-mood").startswith("nursery-mood, default, 0 shots, item mood-test-")
    made = read("rte")["rows"]
    write_rows(tmp_path / "results/mine/datasets/rte", {"train": made[:8], "validation": made[8:]}, {})
    assert show("rte").startswith("rte, default, 0 shots, item validation:")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rtee"], r"unknown dataset 'rtee'; .*\nhint: did you mean 'rte'\?"),
        (["rte", "--format", "chatt"], r"unknown format 'chatt'; .*\nhint: did you mean 'chat'\?"),
        (["rte", "--item", "0"], r"--item counts from 1"),
        (["rte", "--rows", "no.jsonl"], r"there is no no\.jsonl\nhint: "),
    ],
)
def test_a_mistake_is_said(show, words, message):
    with pytest.raises(UserError, match=message):
        show(*words)


def test_without_a_checkpoint_at_hand_one_is_asked_for(show):
    with pytest.raises(UserError, match=r"no --checkpoint is given, .*\nhint: name a folder .* or run `make study`"):
        show("nursery-mood", checkpoint=None)


def test_the_last_checkpoint_of_the_embedded_study_serves_otherwise(show, wide, tmp_path):
    for step in (64, 512, 128):
        folder = tmp_path / f"results/nursery/checkpoints/nursery/step{step}"
        shutil.copytree(wide, folder)
        write_json(folder / "checkpoint.json", read_json(folder / "checkpoint.json") | {"tokens": 1024 * step})
    said = show("nursery-mood", checkpoint=None)
    assert said.splitlines()[0].endswith("tokenizer of results/nursery/checkpoints/nursery/step512")
