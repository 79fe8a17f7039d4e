"""Two studies are compared: verdicts, means on the same items, and each item whose score differs."""

import json

import polars as pl
import pytest
from finished import finished_folder, write_examples
from synthetic_report import FINDINGS

from ripeness.outputs.comparison import compare, lines_of, page_of, write_items
from ripeness.outputs.differences import ALIKE, BETTER, OPEN

CHECKPOINT, TUNED = "step5859", "nursery-sentiment"
IS_CHANGED = (
    (pl.col("checkpoint") == CHECKPOINT)
    & (pl.col("dataset") == TUNED)
    & (pl.col("method") == "full")
    & (pl.col("probe") == TUNED)
    & (pl.col("probe_format") == "io")
    & (pl.col("format") == "io")
)
WORSE_AT_FIRST = IS_CHANGED & pl.col("item").is_in([f"{TUNED}-{n}" for n in range(30)])


@pytest.fixture(scope="module")
def pair(synthetic_study, tmp_path_factory):
    """A: one tuned model has 30 items wrong; B: right. B asks the summaries otherwise, and lacks an item."""
    base = tmp_path_factory.mktemp("pair")
    items = synthetic_study["items"]
    wrong = items.with_columns(score=pl.when(WORSE_AT_FIRST).then(0.0).otherwise("score"))
    right = items.with_columns(score=pl.when(WORSE_AT_FIRST).then(1.0).otherwise("score"))
    right = right.filter(pl.col("item") != f"{TUNED}-39")
    a = finished_folder(base / "a", synthetic_study | {"items": wrong})
    b = finished_folder(base / "b", synthetic_study | {"items": right})
    for form in ("default", "io"):
        write_examples(b, "nursery-summary", form, prompt="Sum up: {form} {n}")
    findings = json.loads((b / "findings.json").read_text())
    (b / "findings.json").write_text(
        json.dumps([one | {"verdict": "undecided"} if one["id"] == FINDINGS[0]["id"] else one for one in findings])
    )
    return a, b


def test_the_same_items_are_paired_and_judged(pair):
    found = compare(*pair)
    table = found.differences
    assert set(table["probe"]) == {TUNED}  # the summaries were asked otherwise
    changed = table.filter(pl.col("difference") != 0)
    assert changed.height == 1
    row = changed.row(0, named=True)
    assert (row["won"], row["lost"], row["n_items"], row["verdict"]) == (30, 0, 39, BETTER)
    assert row["difference"] == pytest.approx(30 / 39) == row["b"] - row["a"]
    assert row["low"] < row["difference"] < row["high"] and (row["seeds_a"], row["seeds_b"]) == (2, 2)
    others = table.filter(pl.col("difference") == 0)
    assert set(others["verdict"]) <= {ALIKE, OPEN} and (others["p_holm"] == 1).all()
    assert (others["low"] < 0).all() and (others["high"] > 0).all()  # no interval of width 0


def test_what_is_not_compared_is_counted(pair):
    said = compare(*pair).left_out
    assert said["paired answers whose prompt, shots, options or right answer differ"] > 0
    assert said["answers to items that only one study has"] > 0


def test_items_that_changed_are_listed_with_what_was_asked(pair, tmp_path):
    found = compare(*pair)
    assert found.flips.height == 30 and set(found.flips["item"]) == {f"{TUNED}-{n}" for n in range(30)}
    assert found.flips["prompt"].str.starts_with("io ").all() and (found.flips["change"] == 1).all()
    write_items(found, tmp_path / "items.csv")
    rows = pl.read_csv(tmp_path / "items.csv")
    assert rows.height == 30 and {"score_a", "score_b", "prediction_a", "margin_b", "prompt"} <= set(rows.columns)


def test_a_comparison_is_read_on_a_terminal_and_as_a_page(pair):
    found = compare(*pair)
    lines = lines_of(found, width=100)
    assert any(line.startswith("supported -> undecided: A claim about learned-in-pretraining.") for line in lines)
    assert any("30 won, 0 lost of 39" in line for line in lines)
    assert "Items with another score: 30 gained, 0 lost" in lines
    page = page_of(found)
    assert page.count("<details><summary>+1.00 nursery-sentiment-") == 30 and "<script" not in page
    assert "A claim about learned-in-pretraining." in page and "Content-Security-Policy" in page


def test_a_study_against_itself_has_nothing_changed(pair, tmp_path):
    found = compare(pair[0], pair[0])
    write_items(found, tmp_path / "items.csv")
    assert pl.read_csv(tmp_path / "items.csv").is_empty()
    assert found.changed["nothing"] and found.flips.is_empty() and not found.left_out
    assert (found.differences["difference"] == 0).all() and "nothing changed" in lines_of(found, width=80)


def test_without_items_claims_are_compared_and_that_is_said(pair, tmp_path):
    (tmp_path / "findings.json").write_bytes((pair[1] / "findings.json").read_bytes())
    found = compare(pair[0], tmp_path)
    assert len(found.changed["verdicts"]) == 1 and "only claims and scores are compared" in found.remarks[0]
    assert page_of(found)
