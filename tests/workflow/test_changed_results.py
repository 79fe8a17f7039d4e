"""A result that was changed by hand is made again, also where its size has stayed."""

import os

import pytest
from cut_study import GPU_RULES, TUNED, UNTOUCHED

pytestmark = pytest.mark.slow

TABLE = "results/cut/tables/measurements.parquet"
PREDICTIONS = "results/cut/cells/nursery/step0/nursery-sentiment/default/full/seed1/predictions.parquet"


def change(path):
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.release
def test_a_table_and_predictions_that_were_changed_in_place_to_the_same_size_are_made_again(edited):
    change(edited.folder / TABLE)
    planned = edited.planned()
    assert planned["collect"] == 1 and not GPU_RULES & set(planned)
    change(edited.folder / PREDICTIONS)
    planned = edited.planned()
    assert planned["predict"] == planned["train_model"] == planned["score"] == 1
    change(edited.folder / TABLE), change(edited.folder / PREDICTIONS)
    assert edited.planned() == {}


def test_results_with_other_times_and_inodes_are_finished_and_read_once(edited):
    results = edited.folder / "results/cut"
    for number, path in enumerate(sorted(results.rglob("*"))):
        if not path.name.endswith(".jsonl"):
            os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number), follow_symlinks=False)
    assert edited.planned() == {}
    remembered = (results / "contents.jsonl").read_text()
    assert remembered.count("predictions.parquet") == TUNED + UNTOUCHED
    assert edited.planned() == {}
    assert (results / "contents.jsonl").read_text() == remembered
