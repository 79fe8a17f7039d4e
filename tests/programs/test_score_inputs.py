"""score: predictions, metrics and cells that no score can be computed from are named."""

import re

import polars as pl
import pytest
from scored_cells import RECORD, predictions

import score
from ripeness.measure import metrics, scorable
from ripeness.runtime.errors import UserError


def test_predictions_that_are_not_there_are_refused(tmp_path):
    options = ["--predictions", "nowhere", "--checkpoint", "c", "--cell", "{}", "--items", "i"]
    with pytest.raises(UserError, match=r"there is no nowhere\nhint: "):
        score.main([*options, "--measurements", "m", "--status", "s"])


# what of a prediction is odd -> what is said of it; the first answer by choice, by text, and of running text
ODD = [
    ("c0", {"n_option_tokens": [2, 0]}, "n_option_tokens is [2, 0]"),
    ("c0", {"n_option_tokens": [2]}, "n_option_tokens has 1 values for 2 choices"),
    ("c0", {"gold": None}, "gold is null, not the place of one of 2 choices"),
    ("c0", {"gold": 2}, "gold is 2, "),
    ("c0", {"gold": -1}, "gold is -1, "),
    ("c0", {"logps": [-1.0, -2.0, -3.0]}, "logps has 3 values for 2 choices"),
    ("c0", {"logps": None}, "logps has 0 values"),
    ("c0", {"logps_unconditional": [-1.0]}, "logps_unconditional has 1 values"),
    ("c0", {"choices": [" good", " "]}, 'choices is [" good", " "]'),
    ("c0", {"choices": [" good", None]}, 'choices is [" good", null]'),
    ("c0", {"choices": None}, "choices is null"),
    ("c0", {"same_text": [0, 2]}, "same_text is [0, 2]"),
    ("c0", {"same_tokens": [0, None]}, "same_tokens is [0, null]"),
    ("c1", {"item": "c0"}, "the item 'c0' of the probe 'film' is duplicated"),
    ("c1", {"probe": "other"}, "the rows of the probe 'film' are not consecutive"),
    ("c0", {"probe_kind": "choose"}, "probe_kind is 'choose', not one of choice, preference, generation, text"),
    ("c0", {"n_dropped_shots": None}, "n_dropped_shots is null"),
    ("c0", {"cluster": None}, "cluster is null"),
    ("g0", {"target": None}, "target is null"),
    ("g0", {"references": ["a", None]}, "one of the references is null"),
    ("g0", {"n_tokens": -3}, "n_tokens is -3"),
    ("p0", {"n_bytes": None}, "n_bytes is null"),
    ("p0", {"probe_kind": "harness"}, "harness holds null"),
]


@pytest.mark.parametrize(("item", "change", "seen"), ODD)
def test_a_prediction_that_no_score_can_be_had_of_is_named(scored, item, change, seen):
    rows = [row | change if row["item"] == item else row for row in predictions()]
    with pytest.raises(UserError, match=re.escape(seen)) as error:
        scored("odd", rows)
    assert re.search(r"predictions.parquet: row \d+, item '\w+': .*\nhint: fix the row, or delete", str(error.value))


def test_every_kind_of_probe_that_is_scored_is_looked_at():
    assert scorable.FAULTS.keys() == metrics.SCORERS.keys()


@pytest.mark.parametrize(
    ("column", "values", "seen"),
    [
        ("gold", ["0", "1"], "its column gold holds String, where Int64"),
        ("logps", ["-1", "-2"], "its column logps holds String, where List"),
        ("logp", [-1.0, -2.0], "a column that this table does not know, 'logp'"),
    ],
)
def test_predictions_of_another_make_are_named(scored, tmp_path, monkeypatch, column, values, seen):
    folder = scored("whole", predictions()[:2])
    path = folder / "predictions.parquet"
    odd = pl.read_parquet(path).with_columns(pl.Series(column, values))
    monkeypatch.setattr("scored_cells.write_table", lambda path, *_: odd.write_parquet(path))
    with pytest.raises(UserError, match=seen):
        scored("whole", [])


def test_predictions_by_hand_may_lack_columns_and_count_in_any_whole_number(scored, tmp_path, monkeypatch):
    folder = scored("whole", predictions()[:4])
    plain = pl.DataFrame(predictions()[:4]).with_columns(pl.col("gold").cast(pl.Int8), same_text=None)
    expected = (folder / "measurements.parquet").read_bytes()
    monkeypatch.setattr("scored_cells.write_table", lambda path, *_: plain.write_parquet(path))
    assert (scored("whole", []) / "measurements.parquet").read_bytes() == expected


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"words": {"see": "english "}}, r"--words: see is \"english \"; known are english, any\nhint: did you mean"),
        ({"words": {"see": 3}}, "--words: see is 3; known are english, any"),
        ({"normalisations": {"film": "pmi"}}, '--normalisations: film is "pmi"\nhint: by format'),
        ({"normalisations": {"film": {"io": "char"}}}, "known are none, character"),
        ({"extracts": {"see": "no group"}}, "'no group' has 0 groups"),
        ({"extracts": {"see": 3}}, "--extracts: see is 3\nhint: "),
        ({"seed": "2"}, r"--cell: seed is \"2\", not a whole number"),
        ({"study": None}, "--cell: study is null, not a text"),
        ({"metod": "full"}, "--cell: unknown key 'metod'\nhint: did you mean 'method'"),
        ({"learning_rate": "0.1"}, "--cell: learning_rate is"),
        ({"record": RECORD | {"losses": []}}, r"training.json cannot be read: losses is \[\]"),
        ({"record": RECORD | {"losses": ["a"]}}, "training.json cannot be read: losses is"),
        ({"record": {"status": "done", "losses": [1.0]}}, "training.json cannot be read: it lacks n_examples"),
    ],
)
def test_unknown_words_of_a_metric_or_a_cell_are_named(scored, options, seen):
    with pytest.raises(UserError, match=seen):
        scored("odd", predictions(), **options)
