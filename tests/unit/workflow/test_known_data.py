"""Data that are made again: known as before where their content is."""

import json
from dataclasses import replace

from ripeness.workflow import file_contents, result_keys
from ripeness.workflow.result_keys import Key, Keys

KEY = Key("predict", "settings", "code", "inputs", ("a", "b"))


def items(folder, keys, key, text, place="items"):
    """Make items of a content by a key, and say what reads them knows them by."""
    (folder / place).mkdir(exist_ok=True)
    (folder / place / "train.jsonl").write_text(text)
    (folder / place / file_contents.TIME_OF_FOLDER).touch()
    keys.add(key, [place])
    assert Keys(folder).known_by(key) == keys.known_by(key)
    return keys.known_by(key)


def of_code(code):
    return Key("prepare_items", "settings", code, "inputs")


def test_data_that_come_out_as_before_are_known_as_before(tmp_path):
    keys = Keys(tmp_path)
    assert items(tmp_path, keys, of_code("1"), "rows") == of_code("1").digest
    assert items(tmp_path, keys, of_code("2"), "rows") == of_code("1").digest
    assert items(tmp_path, keys, of_code("3"), "other rows") == of_code("3").digest
    assert items(tmp_path, Keys(tmp_path), of_code("4"), "rows") == of_code("1").digest
    assert items(tmp_path, Keys(tmp_path), of_code("2"), "rows") == of_code("1").digest
    assert items(tmp_path, keys, of_code("5"), "rows", place="items of another dataset") == of_code("1").digest


def test_data_that_come_out_otherwise_by_the_same_key_are_known_otherwise(tmp_path):
    keys = Keys(tmp_path)
    first = items(tmp_path, keys, of_code("1"), "rows")
    other = items(tmp_path, keys, of_code("1"), "sowr")
    assert other != first
    assert items(tmp_path, keys, of_code("1"), "rows") == first
    assert items(tmp_path, keys, of_code("2"), "sowr") == other


def test_what_is_no_data_and_what_is_too_large_to_be_read_completely_is_known_by_its_key(tmp_path, monkeypatch):
    keys = Keys(tmp_path)
    monkeypatch.setattr(result_keys, "WHOLE_BYTES", 3)
    assert items(tmp_path, keys, of_code("1"), "row") == items(tmp_path, keys, of_code("2"), "row")
    for code in ("3", "4"):
        assert items(tmp_path, keys, of_code(code), "rows") == of_code(code).digest
        training = replace(of_code(code), rule="train_model")
        assert items(tmp_path, keys, training, "row", place="training.json") == training.digest


def test_data_that_were_made_before_contents_were_noted_are_known_by_their_key_and_then_by_their_content(tmp_path):
    items(tmp_path, Keys(tmp_path), of_code("1"), "rows")
    line = json.loads((tmp_path / result_keys.KEYS).read_text())
    for name in ("seen", "counts_as"):
        del line[name]
    (tmp_path / result_keys.KEYS).write_text(json.dumps(line) + "\n")
    keys = Keys(tmp_path)
    assert keys.known_by(of_code("1")) == of_code("1").digest
    keys.note_contents(["items", "not there"])
    assert items(tmp_path, keys, of_code("2"), "rows") == of_code("1").digest


def test_data_that_are_taken_as_they_are_are_known_as_the_plan_knew_them(tmp_path):
    keys = Keys(tmp_path)
    items(tmp_path, keys, of_code("1"), "rows")
    keys.add(of_code("2"), ["items"], accepted="1", counts_as="as the plan knew them")
    assert Keys(tmp_path).known_by(of_code("2")) == keys.known_by(of_code("2")) == "as the plan knew them"
