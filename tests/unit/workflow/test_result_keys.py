"""Keys of results: what is in them, what is noticed, what a crash may leave."""

import json
from pathlib import Path

import pytest

from ripeness.runtime.named_inputs import note_inputs
from ripeness.workflow import appended_lines, file_contents, result_keys
from ripeness.workflow.file_contents import Contents
from ripeness.workflow.found_elsewhere import move_aside
from ripeness.workflow.result_keys import Key, Keys, accepted_results

KEY = Key("predict", "settings", "code", "inputs", ("a", "b"))


@pytest.fixture
def folder(tmp_path):
    """Give the folder of a study in which one output has been made and noted."""
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "predictions.parquet").write_text("made")
    Keys(tmp_path).add(KEY, ["cells/predictions.parquet", "cells"])
    return tmp_path


def test_a_key_is_read_as_it_was_written(folder):
    assert Keys(folder).of("cells/predictions.parquet").key == KEY
    assert Keys(folder).of("cells").key == KEY
    assert Keys(folder).of("cells/other.parquet") is None


@pytest.mark.parametrize("part", ["settings", "code", "inputs"])
def test_a_key_says_which_part_differs(part):
    other = Key(**{name: getattr(KEY, name) for name in ("rule", "settings", "code", "inputs", "probes")} | {part: "x"})
    assert KEY.difference(other) == {"settings": "settings", "code": "code", "inputs": "input"}[part]
    assert KEY.digest != other.digest


def test_a_result_serves_every_plan_that_wants_some_of_its_probes():
    assert Key("predict", "settings", "code", "inputs", ("b",)).difference(KEY) == ""
    assert Key("predict", "settings", "code", "inputs", ("b", "c")).difference(KEY) == "probe"


def test_an_output_of_another_size_than_was_noted_has_no_key(folder):
    (folder / "cells" / "predictions.parquet").write_text("changed by hand")
    assert Keys(folder).of("cells/predictions.parquet") is None


@pytest.mark.parametrize("output", ["cells/predictions.parquet", "cells"])
def test_an_output_that_was_changed_in_place_to_the_same_size_has_no_key(folder, output):
    (folder / "cells" / "predictions.parquet").write_text("MADE")
    assert Keys(folder).of(output) is None
    (folder / "cells" / "predictions.parquet").write_text("made")
    assert Keys(folder).of(output).key == KEY


def test_an_output_is_read_once_where_its_time_has_changed_and_not_at_all_where_it_has_not(folder, monkeypatch):
    output = "cells/predictions.parquet"
    reads = []
    digest = file_contents.result_digest
    monkeypatch.setattr(file_contents, "result_digest", lambda path: reads.append(path) or digest(path))
    assert Keys(folder).of(output).key == KEY and not reads
    (folder / output).touch()
    assert Keys(folder).of(output).key == KEY and Keys(folder).of(output).key == KEY
    assert reads == [folder / output]


def test_a_note_of_before_contents_were_noted_goes_by_the_size(folder):
    lines = [json.loads(line) for line in (folder / result_keys.KEYS).read_text().splitlines()]
    text = "".join(json.dumps({name: value for name, value in line.items() if name != "seen"}) + "\n" for line in lines)
    (folder / result_keys.KEYS).write_text(text)
    (folder / "cells" / "predictions.parquet").write_text("MADE")
    assert Keys(folder).of("cells/predictions.parquet").key == KEY
    (folder / "cells" / "predictions.parquet").write_text("longer")
    assert Keys(folder).of("cells/predictions.parquet") is None


def test_the_last_note_counts_and_a_line_that_was_cut_off_counts_as_not_written(folder):
    later = Key("predict", "others", "code", "inputs")
    Keys(folder).add(later, ["cells/predictions.parquet"])
    with (folder / result_keys.KEYS).open("a") as file:
        file.write('{"rule": "predict", "settings": "cut o')
    assert Keys(folder).of("cells/predictions.parquet").key == later
    Keys(folder).add(KEY, ["cells/predictions.parquet"])  # goes to a line of its own
    assert Keys(folder).of("cells/predictions.parquet").key == KEY


@pytest.mark.parametrize(
    "line",
    ["[1]", "12", "null", '"text"', "[" * 100_000, "\0" * 100, "{}}", "{}", '{"begun": 3}', '{"rule": "predict"}']
    + ['{"rule": "predict", "settings": "s", "code": "c", "inputs": "i", "probes": 3, "outputs": {}}']
    + ['{"rule": "predict", "settings": "s", "code": "c", "inputs": "i", "probes": [], "outputs": [1]}'],
)
def test_a_line_that_is_no_note_is_passed_over(folder, line):
    before = Keys(folder).made
    with (folder / "keys.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert Keys(folder).made == before and before


def test_a_result_is_found_by_its_key_under_another_name(folder):
    assert Keys(folder).elsewhere(KEY, "renamed/predictions.parquet") == "cells/predictions.parquet"
    fewer = Key("predict", "settings", "code", "inputs", ("b",))
    assert Keys(folder).elsewhere(fewer, "renamed/predictions.parquet") == "cells/predictions.parquet"
    more = Key("predict", "settings", "code", "inputs", ("b", "c"))
    assert Keys(folder).elsewhere(more, "renamed/predictions.parquet") is None
    assert Keys(folder).elsewhere(KEY, "renamed/items.parquet") is None


def test_keys_follow_results_that_are_moved_aside(folder):
    keys = Keys(folder)
    (folder / "removed").mkdir()
    known = keys.below(Path("cells"))
    (folder / "cells").rename(folder / "removed" / "cells")
    keys.follow(known, "removed")
    assert Keys(folder).of("removed/cells/predictions.parquet").key == KEY


def test_a_result_that_was_changed_by_hand_has_no_key_after_it_was_moved_aside_either(folder):
    (folder / "cells" / "predictions.parquet").write_text("MADE")
    keys = Keys(folder)
    assert keys.below(Path("cells")) == {}
    (folder / "removed").mkdir()
    (folder / "cells").rename(folder / "removed" / "cells")
    keys.follow({}, "removed")
    assert Keys(folder).of("removed/cells/predictions.parquet") is None


def test_a_model_that_is_kept_is_watched_and_one_that_is_deleted_once_measured_is_not(folder):
    for output, kept in (("kept/model", ["kept/model"]), ("gone/model", [])):
        (folder / output).mkdir(parents=True)
        (folder / output / "model.safetensors").write_text("weights")
        Keys(folder).add(KEY, [output], kept=kept)
        (folder / output / "model.safetensors").write_text("WEIGHTS")
    assert Keys(folder).of("kept/model") is None
    assert Keys(folder).of("gone/model").key == KEY
    (folder / "kept/model/model.safetensors").unlink()  # as predict does for a run that no longer keeps models
    assert Keys(folder).of("kept/model").key == KEY


def test_a_kept_model_is_watched_after_it_was_moved_aside_too(folder):
    (folder / "kept/model").mkdir(parents=True)
    (folder / "kept/model/model.safetensors").write_text("weights")
    keys = Keys(folder)
    keys.add(KEY, ["kept/model"], kept=["kept/model"])
    known = keys.below(Path("kept"))
    (folder / "removed").mkdir()
    (folder / "kept").rename(folder / "removed/kept")
    keys.follow(known, "removed")
    assert Keys(folder).of("removed/kept/model").key == KEY
    (folder / "removed/kept/model/model.safetensors").write_text("WEIGHTS")
    assert Keys(folder).of("removed/kept/model") is None


def test_files_that_only_the_inputs_name_count_as_inputs(folder, tmp_path_factory):
    picture = tmp_path_factory.mktemp("of the user") / "a.png"
    picture.write_text("a picture")
    key = Key("fetch_dataset", "settings", "code", "inputs")
    (folder / "rows").mkdir()
    note_inputs(folder / "rows", [str(picture)])
    Keys(folder).add(key, ["rows"])
    assert Keys(folder).of("rows").key == key
    picture.write_text("a Picture")
    assert key.difference(Keys(folder).of("rows").key) == "input"
    picture.unlink()
    assert key.difference(Keys(folder).of("rows").key) == "input"
    picture.write_text("a picture")
    assert Keys(folder).of("rows").key == key


def checkpoint(folder, keys, key, facts="{}", weights="weights", place="step1"):
    """Fetch a checkpoint with some facts by a key."""
    (folder / place).mkdir(exist_ok=True)
    for name, text in (("checkpoint.json", facts), ("weights.json", weights), (".ripeness.json", str(len(facts)))):
        (folder / place / name).write_text(text)
    keys.add(key, [place])


def fetched_by(settings):
    return Key("fetch_checkpoint", settings, "code", "inputs")


def test_a_checkpoint_whose_facts_change_is_the_same_for_what_reads_its_weights_alone(tmp_path):
    keys, first, second, third = Keys(tmp_path), *map(fetched_by, "123")
    checkpoint(tmp_path, keys, first)
    checkpoint(tmp_path, keys, second, facts='{"tokens": 3}')
    checkpoint(tmp_path, keys, third, weights="others")
    for known in (keys, Keys(tmp_path)):
        assert known.known_to("train_model", second) == known.known_to("predict", first) == first.digest
        assert known.known_to("score", second) == known.known_to("anneal_checkpoint", second) == second.digest
        assert known.known_to("train_model", third) == third.digest


def test_a_checkpoint_that_was_fetched_before_its_weights_were_noted_apart_is_read_before_it_is_fetched_again(tmp_path):
    first, second = fetched_by("1"), fetched_by("2")
    checkpoint(tmp_path, Keys(tmp_path), first)
    line = json.loads((tmp_path / result_keys.KEYS).read_text())
    for name in ("weights", "counts_as"):
        del line[name]
    (tmp_path / result_keys.KEYS).write_text(json.dumps(line) + "\n")
    keys = Keys(tmp_path)
    keys.note_contents(["step1"])
    checkpoint(tmp_path, keys, second, facts='{"tokens": 3}')
    assert keys.known_to("predict", second) == first.digest


def test_what_was_accepted_is_counted_by_rule_and_code(folder):
    Keys(folder).add(Key("predict", "settings", "new", "inputs"), ["cells/predictions.parquet"], accepted="code")
    assert accepted_results(folder) == [{"rule": "predict", "code_before": "code", "code_since": "new", "jobs": 1}]


def test_a_folder_that_cannot_be_written_is_read(folder, monkeypatch):
    monkeypatch.setattr(appended_lines.Path, "open", lambda *_, **__: (_ for _ in ()).throw(OSError("read-only")))
    monkeypatch.setattr(appended_lines.os, "access", lambda *_: False)
    Keys(folder).add(KEY, ["cells/predictions.parquet"])
    monkeypatch.undo()
    assert len((folder / result_keys.KEYS).read_text().splitlines()) == 1
    assert json.loads((folder / result_keys.KEYS).read_text())["rule"] == "predict"


def test_what_a_run_that_was_broken_off_began_to_make_has_no_key_of_before(folder):
    Keys(folder).forget(["cells/predictions.parquet", "cells/other.parquet"])
    (folder / "cells" / "predictions.parquet").write_text("made")  # as it was
    assert Keys(folder).of("cells/predictions.parquet") is None
    assert Keys(folder).of("cells").key == KEY
    Keys(folder).add(KEY, ["cells/predictions.parquet"])
    assert Keys(folder).of("cells/predictions.parquet").key == KEY


def test_a_folder_whose_files_have_another_size_has_no_key_and_a_change_in_it_is_another_content(folder):
    inner = folder / "cells" / "linked"
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "rows.jsonl").write_text("rows")
    inner.symlink_to(folder / "elsewhere")
    Keys(folder).add(KEY, ["cells", "cells/model"])
    before = Contents(folder).digest(folder / "cells")
    assert Keys(folder).of("cells").key == KEY and Contents(folder).digest(folder / "cells") == before
    (folder / "elsewhere" / "rows.jsonl").write_text("other rows")
    assert Keys(folder).of("cells") is None and Contents(folder).digest(folder / "cells") != before


def test_weights_that_are_deleted_once_measured_leave_the_key_of_their_training(folder):
    (folder / "model").mkdir()
    (folder / "model" / "weights").write_text("weights")
    Keys(folder).add(KEY, ["model"])
    (folder / "model" / "weights").unlink()
    assert Keys(folder).of("model").key == KEY


def test_what_is_moved_aside_again_goes_next_to_what_was_moved_before(folder):
    for place in ("removed/cells", "removed/2/cells", "removed/3/cells"):
        assert move_aside(Keys(folder), "cells") == place
        assert Keys(folder).of(f"{place}/predictions.parquet").key == KEY
        (folder / "cells").mkdir()
        (folder / "cells/predictions.parquet").write_text("made")
        Keys(folder).add(KEY, ["cells/predictions.parquet", "cells"])
    assert Keys(folder).elsewhere(KEY, "renamed/predictions.parquet")
