"""show_pictures: the first items with their picture, and answers with it, with another one, and with none."""

import json

import numpy as np
import polars as pl
import pytest
from seeing_worlds import SETTINGS, Seen, planted

import show_pictures
from ripeness.data.nursery.scenes import npy_bytes
from ripeness.data.small_pictures import png_uri
from ripeness.runtime.files import read_json
from ripeness.storage.pictures import write_pictures
from ripeness.tables.columns import CELLS, EXAMPLES, IS_CHOSEN, ITEM_SCORES, conform, write_table

PIXELS = {f"p{n}": np.full((24, 24, 3), 9 * n, dtype=np.uint8) for n in range(9)}


@pytest.fixture
def folder(tmp_path):
    """The rows, items, examples and tables of a study."""
    for name in ("rows", "items", "examples"):
        (tmp_path / name / "scenes").mkdir(parents=True)
    write_pictures(tmp_path / "rows/scenes", {name: npy_bytes(pixels) for name, pixels in PIXELS.items()})
    items = [{"id": f"i{n:03}", "picture": f"p{n // 3}"} for n in range(9)]
    (tmp_path / "items/scenes/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in items))
    row = {"prompt": "<b>which</b> colour ?", "choices": [" red", " blue"], "gold": 1, "target": " blue"}
    examples = [row | {"item": f"i{n:03}", "cluster": "c"} for n in range(9)]
    write_table(tmp_path / "examples/scenes/test.parquet", examples, EXAMPLES)
    tables = planted(Seen(own=(0.9,) * 4))
    scored = tables.all_items[-1].collect()
    said = pl.when(pl.col("score") > 0).then("gold").otherwise(pl.lit("9"))
    write_table(tmp_path / "scored.parquet", scored.with_columns(prediction=said), ITEM_SCORES | IS_CHOSEN)
    write_table(tmp_path / "cells.parquet", conform(tables.cells, CELLS | IS_CHOSEN), CELLS | IS_CHOSEN)
    return tmp_path


def shown(folder):
    words = [f"--{name}={folder / name / 'scenes'}" for name in ("rows", "items", "examples")]
    words += [f"--cells={folder / 'cells.parquet'}", f"--scored={folder / 'scored.parquet'}"]
    settings = json.dumps({"views": dict(SETTINGS.views)})
    show_pictures.main([*words, "--settings", settings, "--output", str(folder / "pictures.json")])
    return read_json(folder / "pictures.json")


def test_the_first_items_are_shown_with_their_own_picture_and_all_answers(folder):
    found = shown(folder)
    assert [one["item"] for one in found] == [f"i{n:03}" for n in range(show_pictures.N_SHOWN)]
    assert [one["picture"] for one in found] == [png_uri(PIXELS[f"p{n // 3}"]) for n in range(len(found))]
    for one in found:
        assert (one["dataset"], one["checkpoint"], one["target"]) == ("scenes", "step3", " blue")
        pictures = [(answer["method"], answer["picture"]) for answer in one["answers"]]
        assert pictures == [("look", "its own picture"), ("look", "another picture"), ("blind", "no picture")]
        for answer in one["answers"]:
            assert answer["is_right"] == (answer["said"] != "9")
    rights = [[answer["is_right"] for answer in one["answers"]] for one in found]
    assert sum(right for right, _, _ in rights) > sum(other for _, other, _ in rights)  # 0.9 against 0.25


def test_an_untouched_study_shows_pictures_without_answers(folder):
    cells = pl.read_parquet(folder / "cells.parquet").filter(method="base")
    cells.write_parquet(folder / "cells.parquet")
    assert [one["answers"] for one in shown(folder)] == [[]] * show_pictures.N_SHOWN
