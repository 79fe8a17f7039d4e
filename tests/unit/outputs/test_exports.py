"""What is exported can be read by what it is made for, and has the numbers of the tables."""

import json
import re
import shutil
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml

from ripeness.outputs import every_eval_ever, ro_crate, written_tables
from ripeness.outputs.export import CHOICES, KINDS, export
from ripeness.outputs.study import Study
from ripeness.outputs.study_tables import tables_of
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import REPORTED, read_measurements
from ripeness.tables.dictionary import TABLES


def written(results, kind, folder):
    """What an export of this kind has written."""
    target = folder / f"out{KINDS[kind].suffix}"
    assert export(results, kind, target) == f"wrote {target}"
    return target


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_table_has_the_columns_and_rows_that_the_dictionary_names(results, kind, tmp_path):
    folder = written(results, kind, tmp_path)
    words = (pl.read_csv if kind == "csv" else pl.read_parquet)(folder / f"dictionary.{kind}")
    assert set(words["table"]) == set(tables_of(results)) == {"measurements", "items", "cells", "audit", "findings"}
    for name in tables_of(results):
        path = folder / f"{name}.{kind}"
        rows = pl.read_csv(path, infer_schema_length=None) if kind == "csv" else pl.read_parquet(path)
        assert rows.columns == words.filter(table=name)["column"].to_list() == list(TABLES[name][0])
        assert rows.height == Study(results).table(name).collect().height > 0
    items = (pl.read_csv if kind == "csv" else pl.read_parquet)(folder / f"items.{kind}").filter(probe_format="io")
    options = {"csv": '[" no", " yes"]', "parquet": [" no", " yes"]}[kind]
    first = items.filter(item="nursery-sentiment-3").row(0, named=True)
    assert (first["prompt"], first["answer"]) == ("io 3 |\n", " yes") and first["options"] == options


def test_tables_for_a_paper_have_every_format_and_no_impossible_interval(results, tmp_path):
    text = written(results, "markdown", tmp_path).read_text()
    assert text.count("| nursery-sentiment | default | full |") == text.count("| nursery-sentiment | io | full |") == 1
    numbers = [float(word) for word in re.findall(r"-?\d+\.\d\d(?=[ ,\]])", text.partition("Claims")[0])]
    assert len(numbers) == 8 * 2 * 3 and 0 <= min(numbers) <= max(numbers) <= 1 and "-0.00" not in text
    latex = written(results, "latex", tmp_path).read_text()
    assert latex.count(r"\begin{longtable}") == latex.count(r"\end{longtable}") == 2 and "−" not in latex
    assert written_tables.tex("50 % of a_b & <c>") == r"50 \% of a\_b \& \textless{}c\textgreater{}"


def test_of_two_series_none_takes_the_place_of_the_other(results):
    one = read_measurements(results / "tables/measurements.parquet").filter(REPORTED)
    head, alone = written_tables.score_rows(one)
    other = one.with_columns(series=pl.lit("other"), value=pl.col("value") / 2)
    again, both = written_tables.score_rows(pl.concat([other, one]))
    own = [row for row in both if row[0].startswith("nursery: ")]
    assert again == head and len(both) == 2 * len(alone)
    assert [[row[0].removeprefix("nursery: "), *row[1:]] for row in own] == alone


def test_a_folder_for_datasets_is_read_by_its_library(results, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    folder = written(results, "hf-dataset", tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    found = datasets.load_dataset(str(folder), "items", split="train", cache_dir=str(tmp_path / "cache"))
    assert found.num_rows == Study(results).items.collect().height
    assert found.features["options"].feature.dtype in ("string", "large_string")
    assert datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))["train"].column_names == list(
        TABLES["measurements"][0]
    )
    assert "| nursery-sentiment | CC0 |" in (folder / "README.md").read_text()


def test_every_eval_ever_has_each_model_once_with_its_items(results, tmp_path):
    folder = written(results, "every-eval-ever", tmp_path)
    entries = [json.loads(path.read_text()) for path in folder.rglob("*.json") if path.name != ".ripeness.json"]
    assert len({entry["model_info"]["id"] for entry in entries}) == len(entries) == 2 * (2 + 2 * 2 * 2)
    schemas = Path(__file__).parents[2] / "schemas/every_eval_ever"  # of version 0.3.0 of its package
    of_model, of_item = (
        jsonschema.Draft202012Validator(json.loads((schemas / f"{name}.schema.json").read_text()))
        for name in ("eval", "instance_level_eval")
    )
    for entry in entries:
        of_model.validate(entry)
        lines = [json.loads(line) for line in (folder / entry["detailed_evaluation_results"]["file_path"]).open()]
        ids = {one["evaluation_result_id"]: one["score_details"]["score"] for one in entry["evaluation_results"]}
        of_item.validate(lines[0])
        assert len(ids) == len(entry["evaluation_results"]) and {line["evaluation_result_id"] for line in lines} <= set(
            ids
        )
        for name in {line["evaluation_result_id"] for line in lines}:
            scores = [line["evaluation"]["score"] for line in lines if line["evaluation_result_id"] == name]
            assert sum(scores) / len(scores) == pytest.approx(ids[name])
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", every_eval_ever.uuid_of("x")
    )


def test_the_crate_describes_each_file_and_refers_to_nothing_else(results, tmp_path):
    folder = written(results, "ro-crate", tmp_path)
    graph = json.loads((folder / ro_crate.METADATA).read_text())["@graph"]
    known = {entity["@id"] for entity in graph}
    assert len(known) == len(graph)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {e["@id"] for e in graph if e["@type"] == "File"} == files - {ro_crate.METADATA, ".ripeness.json"}
    assert not [one for one in references(graph) if one not in known and "w3id.org/ro/crate" not in one]


def references(value):
    """Every {"@id": ...} that only refers."""
    if isinstance(value, list):
        return [one for part in value for one in references(part)]
    if isinstance(value, dict):
        return [value["@id"]] if set(value) == {"@id"} else references(list(value.values()))
    return []


def test_a_card_of_a_kept_model_has_its_scores(results, tmp_path):
    with pytest.raises(UserError, match=r"has kept no tuned model\nhint: `keep_models: best`"):
        export(results, "model-cards", tmp_path / "cards")
    assert not (tmp_path / "cards").exists()
    kept = tmp_path / "nursery"
    shutil.copytree(results, kept)
    best = kept / "best/nursery/step488/nursery-sentiment/full"
    for name in ("model", "choice"):
        (best / name).mkdir(parents=True)
    choice = {"format": "io", "seed": 2, "learning_rate": 1e-3}
    (best / "choice/choice.json").write_text(json.dumps(choice))
    (best / "training.json").write_text(json.dumps({"settings": {"kind": "full", "epochs": 3}}))
    card = (written(kept, "model-cards", tmp_path) / best.relative_to(kept) / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    own = {"dataset": "nursery-sentiment", "checkpoint": "step488", "format": "io", "seed": 2, "method": "full"}
    score = Study(kept).scores.filter(**own)["after"].item()
    found = {one["dataset"]["name"]: one["metrics"][0] for one in head["model-index"][0]["results"]}
    assert found["nursery-sentiment (io, 0 shots)"] == {"type": "accuracy", "value": pytest.approx(score)}
    assert "| epochs | 3 |" in card and "Licence of the dataset: CC0." in card


@pytest.mark.parametrize("tracker", ["trackio", "wandb"])
def test_a_run_is_logged_for_each_tuned_model_on_this_machine(results, tracker, tmp_path, monkeypatch):
    pytest.importorskip(tracker, reason=f"{tracker} is not installed; it is not needed otherwise")
    monkeypatch.chdir(tmp_path)
    for name in ("TRACKIO_DIR", "WANDB_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    assert export(results, tracker, None) == f"logged 8 runs to {tracker}, on this machine"
    assert list(tmp_path.rglob("ripeness-nursery.db" if tracker == "trackio" else "run-*.wandb"))


def test_what_cannot_be_exported_is_said_and_nothing_is_left(results, tmp_path):
    with pytest.raises(UserError, match="did you mean 'parquet'"):
        export(results, "parkett", tmp_path / "x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="mine"):
        export(results, "csv", tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    for tracker in ("trackio", "wandb"):
        assert tracker in CHOICES
