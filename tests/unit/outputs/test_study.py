"""A study is opened in Python and asked in SQL: the five worked questions of the page are answered."""

import inspect
import json
import re
import shutil

import polars as pl
import pytest

import ripeness
from ripeness.outputs.queries import query
from ripeness.outputs.query_text import answered
from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.tables.main_scores import main_scores

PAGE = (ROOT / "docs/outputs.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def study(results):
    """The finished study, opened."""
    return ripeness.open(results)


def test_a_study_has_frames_findings_and_items_with_their_questions(study):
    assert isinstance(study, ripeness.Study) and "measurements, items, cells" in repr(study)
    scores = study.scores.filter(dataset="nursery-sentiment", format="io", checkpoint="step488", seed=1)
    row = scores.row(0, named=True)
    own = study.measurements.filter(
        dataset="nursery-sentiment", probe="nursery-sentiment", probe_format="io", format="io", checkpoint="step488",
        metric="accuracy", shots=0,
    )  # fmt: skip
    assert row["after"] == own.filter(method="full", seed=1)["value"].item()
    assert row["before"] == pytest.approx(own.filter(method="base")["value"].mean())
    assert row["gain"] == pytest.approx(row["after"] - row["before"])
    assert study.findings.filter(id="gain-by-learning")["verdict"].item() == "reversed"
    assert len(study.entries) == study.findings.height
    asked = study.items.filter(pl.col("item") == "nursery-summary-2").select("prompt", "answer").unique().collect()
    assert set(asked["prompt"]) == {"io 2 |\n", "default 2 |\n"} and asked["answer"].to_list() == [" text 2"] * 2


def test_a_figure_is_that_of_the_report(results, tmp_path):
    (tmp_path / "figures").mkdir()
    chart = {"data": {"values": [{"a": 1}]}, "mark": "point", "encoding": {"x": {"field": "a", "type": "ordinal"}}}
    (tmp_path / "figures/gain.json").write_text(json.dumps(chart))
    study = ripeness.Study(tmp_path)
    assert study.figures == ("gain",) and study.figure("gain").to_dict()["mark"] == "point"
    with pytest.raises(UserError, match="it has gain\nhint: did you mean 'gain'"):
        study.figure("gains")


def test_everything_public_is_documented_and_typed(study):
    for name, member in inspect.getmembers(type(study)):
        if not name.startswith("_") and name != "folder":
            function = getattr(member, "func", getattr(member, "fget", member))
            assert function.__doc__ and "return" in function.__annotations__, name
            assert f"`{name}" in PAGE, f"docs/outputs.md does not say what {name} is"
    with pytest.raises(AttributeError, match="no attribute 'nowhere'"):
        ripeness.nowhere  # noqa: B018


def test_the_five_questions_of_the_page_are_answered(results):
    assert len(QUESTIONS) == 5
    for sql in QUESTIONS:
        gained = sql.replace("change < 0", "change > 0")  # no item is lost in the invented study
        assert query(results, sql).height > 0 or (gained != sql and query(results, gained).height > 0), sql


def test_sql_sees_what_the_frames_have(results, study):
    best = query(results, "SELECT dataset, max(after) AS best FROM scores GROUP BY dataset ORDER BY dataset")
    expected = main_scores(study.measurements).group_by("dataset").agg(best=pl.col("after").max()).sort("dataset")
    assert best.equals(expected)
    n = query(results, "SELECT count(*) AS n, count(prompt) AS asked FROM items").row(0)
    assert n == (study.items.collect().height,) * 2
    with pytest.raises(
        UserError, match=r"(?s)no_such.*hint: tables are measurements, items, cells, audit, findings, scores"
    ):
        query(results, "SELECT no_such FROM scores")


def test_a_damaged_file_is_named_by_a_query(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "copy")
    path = next((copy / "tables/items").rglob("*.parquet"))
    content = path.read_bytes()
    n = len(content) // 3
    path.write_bytes(content[:n] + bytes(n) + content[2 * n :])
    with pytest.raises(UserError) as error:
        query(copy, "SELECT sum(score), min(text), max(prediction), min(item), min(gold) FROM items")
    assert str(error.value).startswith(f"{path} cannot be read: ") and "delete it" in str(error.value)


def test_an_answer_is_written_for_people_and_for_programs(results):
    sql = "SELECT DISTINCT dataset FROM scores ORDER BY dataset"
    assert answered(results, sql, "csv") == "dataset\nnursery-sentiment\nnursery-summary\n"
    assert json.loads(answered(results, sql, "json"))[0] == {"dataset": "nursery-sentiment"}
    assert "| nursery-sentiment |" in answered(results, sql, "table")
    assert json.loads(answered(results, "SELECT 'nan'::DOUBLE AS a, 'x'::BLOB AS b", "json"))[0]["a"] is None
    assert answered(results, "SELECT 'x'::BLOB AS b", "csv") == "b\n78\n"
    with pytest.raises(UserError, match=r"hint: tables are measurements"):
        answered(results, "SELECT INTERVAL 1 DAY", "csv")
    with pytest.raises(UserError, match="known are table, csv and json"):
        answered(results, sql, "xml")
