"""audit_inputs on a protocol as published, at toy size: it sees by itself what is known to be wrong with it."""

import json
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from amuro_datasets import ALL_IN_ONE, rows_of
from dataset_rows import ROLES

import audit_inputs
import prepare_items
import render_examples
from audit_inputs import asked_after
from ripeness.audit.prompts import Wording
from ripeness.data.rows import write_rows
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow.lookups import audit
from ripeness.workflow.lookups import prepare as prepare_lookups

ROOT = Path(__file__).parents[2]


def published(folder, checkpoint, **change):
    """The study with rows and checkpoints of our own in place of those on the hub."""
    config = read_yaml(ROOT / "studies/amuro-char.yaml") | change
    config["study"] = folder.name
    for name, overrides in config["datasets"].items():
        files = {role: f"{name}/{'all' if name in ALL_IN_ONE else role}.jsonl" for role in ROLES}
        overrides = overrides or {}
        sizes = {key: size for key, size in overrides.get("items", {}).items() if key != "train"}  # of a dozen rows
        config["datasets"][name] = {**overrides, "source": files, "items": sizes}
    entries = load_study(config, ROOT / "tasks").checkpoints["olmo-1b"]
    points = [{key: entry[key] for key in ("step", "tokens")} | {"path": str(checkpoint)} for entry in entries.values()]
    config["series"] = {"olmo-1b": {"checkpoints": points}}
    return load_study(config, ROOT / "tasks")


def prepare(study, folder):
    """Rows, items and examples of every dataset, as the rules make them."""
    pairs = [path.split("/")[-2:] for path in audit.audited_examples(study)]
    for name, task in study.tasks.items():
        sources = {file: rows_of(name, role) for role, file in task.source.items()}
        write_rows(folder / "datasets" / name, sources, {})
        place = SimpleNamespace(dataset=name)
        words = ["--rows", str(folder / "datasets" / name), "--task", prepare_lookups.item_task(study, place)]
        words += ["--sizes", prepare_lookups.item_sizes(study, place), "--output", str(folder / "items" / name)]
        prepare_items.main(words)
        for format_ in [format_ for dataset, format_ in pairs if dataset == name]:
            place = SimpleNamespace(dataset=name, format=format_)
            words = ["--items", str(folder / "items" / name), "--task", prepare_lookups.render_task(study, place)]
            words += ["--format", format_, "--output", str(folder / "examples" / name / format_)]
            render_examples.main(words)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tokenizer):
    """Give the study as published, its folder with everything prepared, and the words of the program."""
    from transformers import LlamaConfig

    folder = tmp_path_factory.mktemp("published")
    checkpoint = folder / "model"
    LlamaConfig(max_position_embeddings=2048).save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    sizes = {"train": 12, "validation": 1, "test": 12, "shots": 4, "shots_from": "test", "seed": 42}
    study = published(folder, checkpoint, items=sizes)
    prepare(study, folder)
    plan = json.loads(audit.audit_plan(study))
    plan["series"]["olmo-1b"]["tokenizer"] = str(checkpoint)
    words = ["--plan", json.dumps(plan), "--study-folder", str(folder), "--output", str(folder / "inputs.parquet")]
    return SimpleNamespace(study=study, folder=folder, words=words)


KNOWLEDGE = {"arc-easy", "arc-challenge", "openbookqa", "hellaswag", "boolq", "sciq-passage"}
FATAL = ["unlabelled-gold", "constant-gold", "label-without-gold", "shots-scored"]


def test_the_protocol_as_published_is_refused_for_each_of_its_fatal_defects(made):
    with pytest.raises(UserError) as error:
        audit_inputs.main(made.words)
    errors = [f"error: {text}" for text in str(error.value).split("\nerror: ")]
    assert [text.split("'")[1] for text in errors] == FATAL and all(text.count("\nhint: ") == 1 for text in errors)
    assert "qqp: '-1' is in 12 of 12 (100%) test rows and is taken for 'different'" in errors[0]
    assert "stsb: '-1' is in 12 of 12 (100%)" in errors[0] and "mnli" not in errors[0]
    assert "qqp: the right answer of all 12 test items is 'different'" in errors[1] and "stsb" in errors[1]
    assert "rte: 'contradiction' is offered and never right in 12 items" in errors[2]
    assert not (made.folder / "inputs.parquet").exists()


def test_with_its_fatal_defects_acknowledged_the_rest_is_in_the_table(made):
    audit_inputs.main([*made.words, "--acknowledge", audit.acknowledged(made.study)])
    table = pl.read_parquet(made.folder / "inputs.parquet")
    seen = table.filter(pl.col("severity") != "passed")
    places = {check: dict(rows.select("where", "seen").iter_rows()) for (check,), rows in seen.group_by("check")}
    assert set(seen.filter("is_acknowledged")["check"]) - {"fewer-items"} == set(FATAL)  # toy rows are few
    assert all(reason.startswith("as published, ") for reason in seen.filter("is_acknowledged")["reason"])
    assert "nothing between 75.5B and 1.43T" in places["uneven-tokens"]["olmo-1b"]
    assert places["near-identical-checkpoints"]["olmo-1b"].startswith("step738000 and step738020 are 20 steps")
    assert "seed 42" in places["single-seed"]["seeds"]
    assert "2e-07 on xsum" in places["mixed-rates"]["methods of kind full"]
    assert set(places["shots-scored"]) == made.study.tasks.keys() - KNOWLEDGE  # whose shots are training rows
    io = {"xsum", "mnli", "mnli-mismatched", "rte", "gpt3nli", "paws", "socialiqa-questions"}
    assert {where for where in places["glued-prompt"] if where.endswith(", io")} == {f"{name}, io" for name in io}
    assert {where.split(", ")[1] for where in places["glued-prompt"]} == {"io"}
    assert "socialiqa-questions, io" in places["glued-fields"]
    assert "olmo-1b: cnn-dailymail, default" in places["context-overflow"]
    assert "with 4 shots" in places["context-overflow"]["olmo-1b: xsum, default"]
    assert places["no-stop"].keys() >= {"xsum", "socialiqa-questions"}
    assert "xsum, default" in places["trailing-space"] and "tests-share-rows" not in places


def test_facts_of_a_checkpoint_that_the_config_does_not_say_are_read_from_its_folder(tmp_path):
    record = {"step": 8, "tokens": 4096, "phase": "stable", "seed": 5}
    (tmp_path / "checkpoint.json").write_text(json.dumps(record))
    points = [{"checkpoint": "a", "folder": str(tmp_path), "step": 9}, {"checkpoint": "b", "folder": "nowhere"}]
    plan = audit_inputs.with_facts({"series": {"one": {"checkpoints": points}}})
    assert plan["series"]["one"]["checkpoints"][0]["tokens"] == 4096
    assert plan["series"]["one"]["checkpoints"][0]["step"] == 9 and points[1] == {
        "checkpoint": "b",
        "folder": "nowhere",
    }
    assert read_json(tmp_path / "checkpoint.json") == record


def test_series_are_distinguished_by_the_virtual_tokens_before_what_they_are_asked():
    wording = Wording("qqp", "io", None, [], [], [], {}, [])
    pairs = [["qqp", "io", 8, 0], ["rte", "io", 20, 20]]
    plan = {"series": {"a": {}, "b": {"virtual_tokens": pairs}, "c": {"asked": []}, "d": {"virtual_tokens": pairs[1:]}}}
    assert asked_after(plan, ["a", "b", "c", "d"], wording) == [((0, 0), ["a", "d"]), ((8, 0), ["b"])]
