"""Columns become a task file: what is asked and answered follows from names and values, and the task can be loaded."""

import json

import polars as pl
import pytest
import yaml

from ripeness.cli.new_study import as_yaml
from ripeness.cli.new_task import default_template, guessed, rows_of, sizes_for, task_of
from ripeness.data.items import item_of
from ripeness.data.role_shares import shares
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

SOURCE = {"train": "a.jsonl", "validation": "a.jsonl", "test": "a.jsonl"}
LABELLED = [{"id": n, "text": f"review {n}", "label": ("good", "bad")[n % 2]} for n in range(40)]
NUMBERED = [{"sentence": f"s {n}", "label": n % 3} for n in range(40)]
OPTIONS = [{"question": f"q {n}", "choices": ["x", f"y{n}"], "answer": n % 2} for n in range(40)]
OPTION_TEXTS = [row | {"answer": row["choices"][row["answer"]]} for row in OPTIONS]
OPEN = [{"question": f"what is {n} and {n}?", "source text": f"t {n}", "answer": str(2 * n)} for n in range(40)]
LONG = [{"document": f"d {n}", "summary": f"the man number {n} went to the market\nand home"} for n in range(40)]


def loaded(rows, tmp_path, **given):
    """The task of rows, as a study reads it from its file."""
    task = task_of("mine", rows, guessed(rows, **given), SOURCE, template=None)
    (tmp_path / "mine.yaml").write_text(as_yaml(task, "Keys."))
    return load_task("mine", tmp_path, overrides={})


@pytest.mark.parametrize(
    ("rows", "kind", "inputs", "gold"),
    [
        (LABELLED, "choice", {"text": "text"}, "bad"),
        (NUMBERED, "choice", {"sentence": "sentence"}, "1"),
        (OPTIONS, "choice", {"question": "question"}, "y1"),
        (OPTION_TEXTS, "choice", {"question": "question"}, "y1"),
        (OPEN, "generation", {"question": "question", "source_text": "source text"}, "2"),
        (LONG, "generation", {"document": "document"}, LONG[1]["summary"]),
    ],
)
def test_a_task_reads_the_right_answer_of_a_row(tmp_path, rows, kind, inputs, gold):
    task = loaded(rows, tmp_path)
    assert task.kind == kind and task.fields == inputs
    item = item_of(Row(rows[1], "a.jsonl:2"), task, "2")
    assert item.target == gold
    assert all(f"{{{{ {name} }}}}" in task.formats["default"] for name in inputs)


def test_each_column_has_a_variable_of_its_own(tmp_path):
    rows = [{"Text A": f"q {n}", "text_a": f"z {n}", "in": "x", "range": "y", "label": n % 2} for n in range(40)]
    task = loaded(rows, tmp_path)
    assert task.fields == {"text_a": "Text A", "text_a_2": "text_a", "in_2": "in", "range_2": "range"}
    assert item_of(Row(rows[1], "a.jsonl:2"), task, "2").fields["text_a"] == "q 1"


def test_options_that_are_no_list_are_not_left_out(tmp_path):
    rows = [row | {"choices": {"text": row["choices"], "label": ["A", "B"]}} for row in OPTIONS]
    with pytest.raises(UserError, match="choices: not every row has a list of options; one has {'text'"):
        guessed(rows)
    assert guessed([row | {"choices": "x; y"} for row in OPTIONS], inputs=["choices"]).inputs == ("choices",)


def test_rows_are_those_that_a_study_reads(tmp_path):
    table = pl.DataFrame({"text": ["t"] * 40, "label": [b"a", b"b"] * 20, "score": [float("nan")] * 40})
    table.write_parquet(tmp_path / "rows.parquet")
    assert rows_of(tmp_path / "rows.parquet")[1] == {"text": "t", "label": "b", "score": None}


def test_answers_decide_metric_and_length(tmp_path):
    short, long = loaded(OPEN, tmp_path), loaded(LONG, tmp_path)
    assert (short.metric, short.stop) == ("exact_match", "\n")
    assert (long.metric, long.stop) == ("rouge_l", "") and long.max_new_tokens > short.max_new_tokens


def test_what_is_given_wins_and_what_is_not_there_is_refused_with_the_columns(tmp_path):
    assert loaded(OPEN, tmp_path, answer="source text", inputs=["answer"]).target == "source text"
    with pytest.raises(UserError, match="no column 'answers'; there are question, source text, answer\nhint: did you"):
        guessed(OPEN, answer="answers")
    with pytest.raises(UserError, match="which column holds the right answer.*\nhint: --answer"):
        guessed([{"a": "x", "b": "y"}] * 30)
    with pytest.raises(UserError, match="--input COLUMN"):
        guessed([{"id": "x", "label": "y"}] * 30)
    with pytest.raises(UserError, match="label: 1 of 41 rows have no answer"):
        task_of("mine", [*LABELLED, {"text": "t"}], guessed(LABELLED), SOURCE, template=None)


def test_too_few_rows_are_refused(tmp_path):
    (tmp_path / "few.jsonl").write_text("".join(json.dumps(row) + "\n" for row in LABELLED[:19]))
    with pytest.raises(UserError, match="19 rows are too few"):
        rows_of(tmp_path / "few.jsonl")


@pytest.mark.parametrize("n_rows", [20, 40, 200, 1000, 100_000])
def test_sizes_ask_for_no_more_rows_than_there_are(n_rows):
    sizes = sizes_for(n_rows, None)
    assert min(sizes.values()) >= 1 and sum(sizes.values()) <= n_rows
    assert shares(sizes, n_rows) == sizes  # so that no role gets less than it asks for
    own = sizes_for(n_rows, 300)
    assert own["test"] == 300 and sum(own.values()) - 300 <= n_rows


def test_several_columns_are_named_in_the_prompt():
    fields = {"question": "question", "best_text": "Best Text"}
    assert default_template(fields) == "Question: {{ question }}\nBest text: {{ best_text }}\nAnswer:"


def test_yaml_keeps_white_space_words_and_rates():
    keys = {"labels": {"no": " no", "2": " 2"}, "text": "a\nb:", "rate": 1e-3, "other": 2.5e-5}
    text = as_yaml(keys, "Keys.")
    assert yaml.safe_load(text) == keys and "1.0e-3" in text and '" no"' in text


def test_rows_that_are_not_there_are_named_with_their_option(tmp_path):
    with pytest.raises(UserError, match="there is no file .*review.jsonl\nhint: --rows and --test are relative to "):
        rows_of(tmp_path / "review.jsonl")
