"""The study of Amuro & Char as published: sizes, splits and prompts as its authors' code has them.

Facts: KaiserWhoLearns/AmuroCharPTFTRelationship at 8b79c396 (open_instruct/format_generalization.py, scripts of the
evaluation): markers and their spacing, 5 % of Tülu, four shots, the knowledge suite on validation rows.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from amuro_datasets import rows_of

from ripeness.audit.items import ITEM_CHECKS, Drawing
from ripeness.data.examples import examples
from ripeness.data.items import draw_items, item_of, read_items
from ripeness.data.rows import Row
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.study.tasks import load_task, sizes_of
from ripeness.workflow.lookups.prepare import item_sizes
from ripeness.workflow.operations import n_items_of, training_operations

ROOT = Path(__file__).parents[3]
FILE = ROOT / "studies/amuro-char.yaml"
VALIDATION = {
    "arc-easy": 570, "arc-challenge": 299, "openbookqa": 500, "hellaswag": 10042, "boolq": 3270, "sciq-passage": 1000,
}  # fmt: skip
PROMPTS = {
    ("xsum", "document"): ["### Input: ", "document", "\n ### Summary: "],
    ("xlsum", "text"): ["### Input: ", "text", "\n ### Summary: "],
    ("cnn-dailymail", "article"): ["### Input: ", "article", "\n ### Summary: "],
    ("socialiqa-questions", "context"): [
        *("### Input: ", "context", "\n ### Answer: Answer A: ", "answerA", " Answer B: ", "answerB"),
        *("Answer C: ", "answerC", "\n ### Question: "),
    ],
    ("sciq-questions", "support"): [
        *("### Input: ", "support", "\n ### Answer: Answer A: ", "correct_answer", " Answer B: ", "distractor1"),
        *(" Answer C: ", "distractor2", "Answer D: ", "distractor3", "\n ### Question: "),
    ],
    ("mnli", "premise"): ["### Input_1: ", "premise", "\n ### Input_2: ", "hypothesis", "\n ### Inference: "],
    ("rte", "sentence1"): ["### Input_1: ", "sentence1", "\n ### Input_2: ", "sentence2", "\n ### Inference: "],
    ("paws", "sentence1"): [
        *("### Input_1: ", "sentence1", "\n ### Input_2: ", "sentence2", "\n ### Paraphrase Classification: "),
    ],
    ("qqp", "text1"): ["### Input_1: ", "text1", "\n ### Input_2: ", "text2", "\n ### Paraphrase Classification: "],
    ("sciq-passage", "support"): ["", "support", "\nQuestion: ", "question", "\nAnswer:"],
}


@pytest.fixture(scope="module")
def study():
    """Give the study."""
    return load_study(read_yaml(FILE), ROOT / "tasks")


def test_tulu_is_tuned_on_five_in_a_hundred_and_all_else_on_six_thousand(study):
    sizes = {name: json.loads(item_sizes(study, SimpleNamespace(dataset=name))) for name in study.tasks}
    assert {name: size["train"] for name, size in sizes.items()} == dict.fromkeys(study.tasks, 6000) | {
        "tulu": int(326154 * 0.05)
    }
    assert {(size["shots"], size["seed"]) for size in sizes.values()} == {(4, 42)}
    place = {"series": "olmo-1b", "checkpoint": "main"}
    settings = {"epochs": 1, "batch_size": 8}
    costs = [
        training_operations(study, SimpleNamespace(**place, dataset=name), settings)
        for name in ("tulu", "mnli", "paws")
    ]
    assert costs[1] == costs[2] and costs[0] / costs[1] == pytest.approx(16307 / 6000)


def test_knowledge_is_asked_on_validation_rows_with_shots_of_training(study):
    (suite,) = (suite for suite in study.config["suites"].values() if "boolq" in suite["datasets"])
    assert set(suite["datasets"]) == set(VALIDATION)
    for name, task in study.tasks.items():
        is_apart = sizes_of(task, study.config["items"])["shots_from"] == "train"
        assert is_apart == (name in VALIDATION)
        if is_apart:
            assert (task.source["splits"]["test"], task.rows["test"]) == ("validation", VALIDATION[name])
    probes = {name: SimpleNamespace(probe=name, kind=task.kind, split="test") for name, task in study.tasks.items()}
    asked = {name: n_items_of(study, probe) for name, probe in probes.items()}
    assert {name: asked[name] for name in VALIDATION} == VALIDATION  # all rows, as 115 / 299 and 322 / 570 need
    assert {name for name, n in asked.items() if n == 12000} - {"tulu"} == {
        "gpt3nli",
        "qqp",
    }  # the others are asked whole


@pytest.mark.parametrize("name", [*sorted(VALIDATION), "mnli"])
def test_shots_of_knowledge_are_not_scored(study, name):
    task = study.tasks[name]
    roles = {"train": "train", "test": task.source["splits"]["test"]}
    rows = {split: [Row(row, f"{split}:1") for row in rows_of(name, role)] for role, split in roles.items()}
    sizes = sizes_of(task, study.config["items"]) | {"train": 3, "test": 5}
    drawn = {role: [vars(item) for item in items] for role, items in draw_items(rows, task, sizes=sizes).items()}
    assert len(drawn["shots"]) == 4
    seen = list(ITEM_CHECKS["shots-scored"](Drawing(name, task, drawn, sizes, {}, n_shots=4)))
    assert bool(seen) == (name not in VALIDATION)


@pytest.mark.parametrize(("name", "first"), PROMPTS)
def test_default_prompts_have_the_markers_and_the_spacing_of_the_code(study, name, first):
    row = next(row for row in rows_of(name, "train") if row[first])
    item = item_of(Row(row, "here"), study.tasks[name], "1")
    (example,) = examples([item], study.tasks[name], "default")
    assert example["prompt"] == "".join(row.get(part, part) for part in PROMPTS[name, first])


def test_turns_of_tulu_have_their_tags(study):
    row = next(row for row in rows_of("tulu", "train") if len(row["messages"]) == 4)
    (example,) = examples([item_of(Row(row, "here"), study.tasks["tulu"], "1")], study.tasks["tulu"], "default")
    texts = [message["content"].strip() for message in row["messages"]]
    assert example["prompt"] == (
        f"<|user|>\n{texts[0]}\n<|assistant|>\n{texts[1]}\n<|user|>\n{texts[2]}\n<|assistant|>\n"
    )


def test_rows_of_sciq_without_a_passage_are_asked_as_published(study):
    rows = [Row(row | {"support": ""}, f"x:{n}") for n, row in enumerate(rows_of("sciq-questions", "test"))]
    assert len(read_items(rows, study.tasks["sciq-questions"], "x")) == 12
    assert not read_items(rows, load_task("sciq-questions", ROOT / "tasks", overrides={}), "x")


def test_the_header_says_what_still_differs():
    header = FILE.read_text(encoding="utf-8").partition("\nstudy: ")[0].replace("\n#", "")
    for words in ("8b79c396", "all of its tokens", "390,965", "16,307", "6,000 characters", "instruct", "last turn"):
        assert words in header
    for words in ("catwalk", "accuracy_raw", "the draw differs"):
        assert words in header
