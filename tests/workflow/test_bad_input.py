"""A user's mistake gives one error that says what to do, with exit status 2, before anything expensive starts."""

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml

CUT = yaml.safe_load((Path(__file__).parent / "cut.yaml").read_text())
EXPENSIVE = ("pretraining", "cells", "checkpoints")


def changed(path: str, value: object) -> dict:
    """The cut study with one value set, or removed where the value is None."""
    study = copy.deepcopy(CUT)
    *folders, key = path.split("/")
    place = study
    for folder in folders:
        place = place[int(folder) if isinstance(place, list) else folder]
    if value is None:
        del place[key]
    elif isinstance(place, list):
        place[int(key)] = value
    else:
        place[key] = value
    return study


CHECKPOINT = "series/nursery/checkpoints/1"
MISTAKES = {
    "an unknown key": ("sedes", [1], "'sedes'", "seeds"),
    "an unknown key of a method": ("methods/full/learning_rat", 1, "'learning_rat'", "learning_rate"),
    "a missing key": ("seeds", None, "'seeds'", "config.schema.yaml"),
    "a misspelled format": ("formats/0", "instrct", "'instrct'", "instruct"),
    "a misspelled dataset": ("datasets/nursery-sentimet", {}, "'nursery-sentimet'", "nursery-sentiment"),
    "a misspelled dataset of a suite": (
        "suites/transfer/datasets/0",
        "nursery-moood",
        "'nursery-moood'",
        "nursery-mood",
    ),
    "a misspelled text": ("suites/pretraining/texts/0", "heldot", "'heldot'", "heldout"),
    "a text from two places": ("texts/heldout/path", "x.txt", "texts.heldout", "just one"),
    "no seeds": ("seeds", [], "seeds", "seed"),
    "the same seed twice": ("seeds", [1, 1], "[1, 1]", "seed"),
    "a rate that is text": ("methods/full/learning_rate", "fast", "'fast'", "number"),
    "a rate that is no number": ("methods/full/learning_rate", float("nan"), "nan", "finite"),
    "an infinite rate": ("methods/full/learning_rate", float("inf"), "inf", "finite"),
    "a negative size": ("items/test", -5, "-5", "minimum"),
    "a study name that leaves the folder": ("study", "../elsewhere", "'../elsewhere'", "folder"),
    "a study name of dots": ("study", "..", "'..'", "folder"),
    "a study name with a line end": ("study", "cut\n", "'cut\\n'", "folder"),
    "an empty study name": ("study", "", "''", "folder"),
    "a checkpoint name that leaves the folder": (CHECKPOINT, {"step": 3, "name": "a/b"}, "'a/b'", "folder"),
    "a checkpoint that is listed twice": (CHECKPOINT, {"step": 0}, "'step0'", "remove one"),
    "a checkpoint with two sources": (CHECKPOINT, {"step": 3, "path": "x"}, "`path` and `pretrain`", "exactly one"),
    "a revision of what is pre-trained here": (CHECKPOINT, {"step": 3, "revision": "main"}, "'main'", "hint"),
    "no dataset": ("datasets", {}, "no cell to train", "datasets"),
    "only the untouched checkpoint": ("methods/full", None, "no cell to train", "methods"),
    "no untouched checkpoint": ("methods/base", None, "'base'", "hint"),
    "shots without an untouched counterpart": ("methods/base/shots", [4], "suites.in-domain.shots", "hint"),
    "more shots than the pool holds": ("methods/base/shots", [0, 9], "9", "items.shots"),
    "a suite of nothing": ("suites/empty", {}, "suites.empty", "hint"),
    "a label word that YAML took for a truth value": (
        "datasets/nursery-sentiment",
        {"labels": {True: " good", False: " bad"}},
        "True",
        "quotes",
    ),
    "a template with an unknown variable": (
        "datasets/nursery-sentiment",
        {"formats": {"default": "{{ txt }}", "io": "{{ text }}"}},
        "'txt'",
        "'text'",
    ),
    "a template that does not parse": (
        "datasets/nursery-sentiment",
        {"formats": {"default": "{{ text"}},
        "formats.default",
        "Jinja2",
    ),
    "a dataset without the format": (
        "datasets/nursery-sentiment",
        {"formats": {"io": "{{ text }}"}},
        "'default'",
        "io",
    ),
    "an acknowledgement of no check": ("audit", {"acknowledge": {"overlp": "meant"}}, "'overlp'", "overlap"),
    "an acknowledgement without a reason": ("audit", {"acknowledge": {"overlap": " "}}, "overlap", "reason"),
    "a dataset with an unknown key": ("datasets/nursery-sentiment", {"lables": {}}, "'lables'", "labels"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_study_names_value_and_way_out(name):
    path, value, seen, hinted = MISTAKES[name]
    with pytest.raises(UserError) as error:
        load_study(changed(path, value), ROOT / "tasks")
    message = str(error.value)
    assert seen in message.partition("\nhint: ")[0], message
    assert hinted in message, message
    assert message.count("hint: ") == 1 and len(message) < 1000


def test_the_cut_study_itself_is_good():
    load_study(copy.deepcopy(CUT), ROOT / "tasks")


def test_the_shipped_studies_are_good():
    for path in [ROOT / "config.yaml", *(ROOT / "studies").glob("*.yaml")]:
        load_study(read_yaml(path), ROOT / "tasks")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("bad input") / "a study")


def run(project: Path, study: dict | str, *, front_end: bool = True) -> subprocess.CompletedProcess:
    shutil.rmtree(project / "results", ignore_errors=True)
    (project / "study.yaml").write_text(study if isinstance(study, str) else yaml.safe_dump(study))
    command = (
        ["scripts/run_study.py", "--study", "study.yaml"]
        if front_end
        else ["-m", "snakemake", "--configfile", "study.yaml"]
    )
    return subprocess.run(
        [sys.executable, *command, "--cores", "2"],
        cwd=project,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


def assert_one_error(done: subprocess.CompletedProcess, project: Path, *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(re.findall(r"^error: ", done.stderr, re.MULTILINE)) == 1, done.stderr
    assert len(re.findall(r"^hint: ", done.stderr, re.MULTILINE)) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not [folder for folder in EXPENSIVE if (project / "results/cut" / folder).exists()]


@pytest.mark.slow
@pytest.mark.parametrize("front_end", [True, False])
def test_an_unknown_key_ends_both_front_ends_with_status_2(project, front_end):
    assert_one_error(run(project, changed("sedes", [1]), front_end=front_end), project, "'sedes'", "seeds")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "- a list\n", "study: [unclosed\n", "just text\n"])
def test_a_file_that_is_no_study_is_refused(project, text):
    assert_one_error(run(project, text), project, "study.yaml")


@pytest.mark.slow
def test_a_study_that_is_not_there_is_named(project):
    done = subprocess.run(
        [sys.executable, "scripts/run_study.py", "--study", "nowhere.yaml"], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 2 and "nowhere.yaml" in done.stderr and "hint: " in done.stderr


def rows(n: int, split: str) -> list[dict]:
    return [
        {"id": f"{split}{i}", "text": f"{split} text number {i}", "sentiment": ["positive", "negative"][i % 2]}
        for i in range(n)
    ]


def with_rows(project: Path, edit) -> dict:
    """The cut study with its first dataset from files, after `edit` of the rows by split."""
    made = {split: rows(100, split) for split in ("train", "validation", "test")}
    edit(made)
    for split, lines in made.items():
        text = lines if isinstance(lines, str) else "".join(json.dumps(line) + "\n" for line in lines)
        (project / f"{split}.jsonl").write_text(text)
    source = {split: f"{split}.jsonl" for split in made}
    return changed("datasets/nursery-sentiment", {"source": source})


DATA_MISTAKES = {
    "an empty file": (lambda made: made.update(test=[]), ("no rows", "test")),
    "a label without a word": (lambda made: made["train"][6].update(sentiment="mixed"), ("train.jsonl:7", "'mixed'")),
    "an unlabelled split": (lambda made: made["test"][2].update(sentiment=-1), ("test.jsonl:3", "unlabelled")),
    "a row without a field": (lambda made: made["validation"][4].pop("text"), ("validation.jsonl:5", "'text'")),
    "a line that is not JSON": (lambda made: made.update(train='{"text": \n'), ("train.jsonl:1", "JSON")),
    "the same id twice": (lambda made: made["test"][1].update(id="test0"), ("duplicate id 'test0'",)),
    "overlapping splits": (
        lambda made: made["train"].__setitem__(slice(0, 100), [r | {"id": f"x{r['id']}"} for r in made["test"]]),
        ("training rows", "overlap: drop"),
    ),
}


QUICK = ("a label without a word",)  # of rows; the audit has a test of its own below


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.release) for name in DATA_MISTAKES]
)
def test_a_mistake_in_the_data_names_file_and_line_before_anything_expensive(project, name):
    edit, words = DATA_MISTAKES[name]
    assert_one_error(run(project, with_rows(project, edit)), project, *words)


@pytest.mark.slow
@pytest.mark.parametrize("front_end", [True, False])
def test_a_file_that_is_not_there_is_named(project, front_end):
    source = {"train": "no.jsonl", "validation": "no.jsonl", "test": "no.jsonl"}
    study = changed("datasets/nursery-sentiment", {"source": source})
    assert_one_error(run(project, study, front_end=front_end), project, "no.jsonl")


@pytest.mark.slow
@pytest.mark.release
def test_plain_snakemake_says_the_same_of_bad_data_in_the_log_of_the_job(project):
    done = run(project, with_rows(project, DATA_MISTAKES["a label without a word"][0]), front_end=False)
    assert done.returncode == 1
    log = (project / "results/cut/logs/prepare_items/nursery-sentiment.log").read_text()
    assert log.startswith("error: train.jsonl:7") and "Traceback" not in log
    assert not [folder for folder in EXPENSIVE if (project / "results/cut" / folder).exists()]


@pytest.mark.slow
@pytest.mark.parametrize("front_end", [True, pytest.param(False, marks=pytest.mark.release)])
def test_what_the_audit_refuses_ends_both_front_ends_with_status_2_before_anything_expensive(project, front_end):
    done = run(project, changed("items/shots_from", "test"), front_end=front_end)
    places = ("nursery-sentiment: 8 of 8", "nursery-summary: 8 of 8", "acknowledge: {shots-scored:")
    assert_one_error(done, project, "'shots-scored'", *places)
    assert not (project / "results/cut/audit/inputs.parquet").exists()


@pytest.mark.slow
@pytest.mark.release
def test_a_checkpoint_with_missing_tensors_is_refused(project, tmp_path):
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<|endoftext|>": 0, "a": 1}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|endoftext|>").save_pretrained(tmp_path / "model")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=8, max_position_embeddings=64, **sizes)).save_pretrained(tmp_path / "model")
    tensors = load_file(tmp_path / "model/model.safetensors")
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, tmp_path / "model/model.safetensors", metadata={"format": "pt"})
    study = changed("series/disk", {"checkpoints": [{"path": str(tmp_path / "model"), "step": 5, "tokens": 50}]})
    study["series"] = {"disk": study["series"]["disk"]}
    study["suites"].pop("pretraining")
    study["texts"] = {}
    done = run(project, study)
    assert done.returncode == 2 and "up_proj" in done.stderr and "Traceback" not in done.stderr, (
        done.stdout + done.stderr
    )
    assert not (project / "results/cut/cells").exists()
    study["series"]["disk"]["checkpoints"][0]["path"] = "nowhere"
    assert_one_error(run(project, study), project, "nowhere")
