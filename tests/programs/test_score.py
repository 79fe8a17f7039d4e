"""score: from predictions to scores of items and means over them, with identity in columns."""

import math

import polars as pl
import pytest
from scored_cells import CELL, CHECKPOINT, RECORD, predictions

from ripeness.runtime.errors import UserError
from ripeness.tables.columns import ITEM_SCORES, MEASUREMENTS


def test_every_row_says_what_was_measured_on_what(scored):
    folder = scored("cell", predictions(), RECORD)
    for name, schema in [("items", ITEM_SCORES), ("measurements", MEASUREMENTS)]:
        table = pl.read_parquet(folder / f"{name}.parquet")
        assert table.schema == pl.Schema(schema)
        assert table.select(list(CELL)).unique().row(0, named=True) == CELL
        facts = {key: value for key, value in CHECKPOINT.items() if key != "seed"}
        assert table.select(list(facts)).unique().row(0, named=True) == facts
        assert set(table["pretraining_seed"]) == {5}  # the seed of the tuning is another
        assert table["probe"].unique(maintain_order=True).to_list() == ["film", "see", "prose"]


def test_items_are_scored_as_their_probe_says(scored):
    items = pl.read_parquet(scored("cell", predictions(), RECORD) / "items.parquet")
    assert items["item"].to_list() == ["c0", "c1", "c2", "c3", "g0", "g1", "p0"]
    assert items["is_correct"].to_list() == [False, True, True, True, None, None, None]
    assert items["is_tie"][:4].to_list() == [False, True, False, False]
    assert items["exact_match"].to_list() == [None] * 4 + [True, False, None]
    assert items["rouge_l"][4:6].to_list() == [1.0, 0.5]
    assert items["nll"][6] == pytest.approx(4 * math.log(2))


def test_the_normalisation_of_a_dataset_in_a_format_decides(scored):
    # -1 for "good", the right one, against 0, -1, -2, -3 for "bad"; by pmi 0 against 1.5, 0.5, -0.5, -1.5
    alone = [row | {"logps_unconditional": [-1.0, -1.5]} if "logps" in row else row for row in predictions()]
    found = {}
    for name, change in {"none": {}, "pmi": {"io": "pmi"}, "elsewhere": {"default": "pmi"}}.items():
        folder = scored(name, alone, normalisations={"film": change})
        found[name] = pl.read_parquet(folder / "items.parquet")["is_correct"].to_list()[:4]
    assert found == {"none": [False, True, True, True], "pmi": [False, False, True, True], "elsewhere": found["none"]}


def test_answers_in_generated_texts_are_compared_where_the_task_says_how(scored):
    texts = {"g0": ("so it is 1,000", "500+500 is 1000"), "g1": ("so it is 7", "it is 8")}
    rows = [
        row | dict(zip(("text", "target"), texts[row["item"]], strict=True)) | {"references": None}
        if row["item"] in texts
        else row
        for row in predictions()
    ]
    found = {}
    for name, extracts in {"whole": {"other": "(x)"}, "part": {"see": "is ([0-9,]+)"}}.items():
        folder = scored(name, rows, extracts=extracts)
        items = pl.read_parquet(folder / "items.parquet").filter(probe="see")
        values = {row["metric"]: row["value"] for row in pl.read_parquet(folder / "measurements.parquet").to_dicts()}
        found[name] = (items["exact_match"].to_list(), values["exact_match"], values["rouge_l"])
    assert found["whole"][:2] == ([False, False], 0.0) and found["part"][:2] == ([True, False], 0.5)
    assert found["whole"][2] == found["part"][2] > 0  # ROUGE-L is of the whole text


def test_the_primary_metric_is_that_of_the_task_and_the_score_of_an_item_follows_it(scored):
    for given, primary in [({}, "rouge_l"), ({"see": "exact_match"}, "exact_match")]:
        folder = scored("cell", predictions(), metrics=given)
        table, items = (pl.read_parquet(folder / f"{name}.parquet") for name in ("measurements", "items"))
        kinds = {"choice": "accuracy", "generation": primary, "text": "bits_per_byte"}
        found = table.filter("is_primary").select("probe_kind", "metric").unique()
        assert dict(found.iter_rows()) == kinds and table["is_primary"].null_count() == 0
        texts, choices = items.filter(probe="see"), items.filter(probe="film")
        assert texts["score"].to_list() == texts[primary].cast(float).to_list()
        assert choices["score"].to_list() == choices["is_correct"].cast(float).to_list()
        assert items.filter(probe="prose")["score"].null_count() == items.filter(probe="prose").height
    with pytest.raises(
        UserError, match=r"--metrics: 'exact_mach' of see is not one of rouge_l, exact_match\nhint: did"
    ):
        scored("wrong", predictions(), metrics={"see": "exact_mach"})


def test_measurements_are_means_over_items_with_their_error(scored):
    table = pl.read_parquet(scored("cell", predictions(), RECORD) / "measurements.parquet")
    values = {(row["probe"], row["metric"]): row for row in table.rows(named=True)}
    accuracy = values["film", "accuracy"]
    assert (accuracy["value"], accuracy["n_items"], accuracy["chance"], accuracy["majority"]) == (0.75, 4, 0.5, 1.0)
    assert accuracy["se"] == pytest.approx(0.25)  # two clusters with residuals -1/2 and 1/2: sqrt(1/2 * 2) / 4
    assert values["see", "rouge_l"]["value"] == 0.75
    assert values["prose", "bits_per_byte"]["value"] == pytest.approx(0.5)
    assert values["prose", "bits_per_byte"]["se"] is None  # one passage


def test_the_words_of_a_dataset_are_those_that_rouge_compares(scored):
    rows = [row | {"target": "кошка", "text": "Кошка"} if row["probe"] == "see" else row for row in predictions()]
    found = {}
    for name, words in {"english": {}, "any": {"see": "any"}, "elsewhere": {"saw": "any"}}.items():
        table = pl.read_parquet(scored(name, rows, words=words) / "measurements.parquet")
        found[name] = table.filter(metric="rouge_l")["value"].to_list()
    assert found == {"english": [0.0], "any": [1.0], "elsewhere": [0.0]}
