import itertools
from pathlib import Path

import jinja2
import pytest
import yaml

from ripeness.data.nursery.tasks import CLASSES, CONTENT_FIELDS, HEADLINES, LABEL_WORDS, WORDING, prompt_text
from ripeness.data.nursery.world import (
    EXERCISED,
    FORMAT_SHARES,
    MIXTURE,
    SPLITS,
    TASKS,
    documents,
    heldout_documents,
    rows,
    share_of,
)
from ripeness.runtime.errors import UserError

TASK_FOLDER = Path(__file__).parents[3] / "tasks"


@pytest.fixture(scope="module")
def made():
    return {(task, split): rows(task, n=80, split=split, seed=0) for task, split in itertools.product(TASKS, SPLITS)}


@pytest.fixture(scope="module")
def corpus():
    return list(itertools.islice(documents(0), 12_000))


def test_shares_of_documents_and_formats_sum_to_one():
    assert sum(MIXTURE.values()) == pytest.approx(1)
    assert sum(FORMAT_SHARES.values()) == pytest.approx(1)


def test_one_seed_gives_one_world_and_another_seed_another():
    def first(seed):
        return list(itertools.islice(documents(seed), 50))

    assert first(0) == first(0)
    assert first(0) != first(1)
    assert rows("nli", n=5, split="test", seed=0) != rows("nli", n=5, split="test", seed=1)


def test_a_longer_list_of_rows_begins_with_the_shorter_one():
    for task in TASKS:
        assert rows(task, n=30, split="train", seed=0)[:10] == rows(task, n=10, split="train", seed=0)


def test_rows_are_the_number_asked_for_with_ids_unique_over_splits(made):
    for task in TASKS:
        ids = [row["id"] for split in SPLITS for row in made[task, split]]
        assert len(set(ids)) == len(ids) == 240


def test_no_content_crosses_a_split(made):
    for task, fields in CONTENT_FIELDS.items():
        if not fields:
            continue
        contents = {split: {tuple(row[field] for field in fields) for row in made[task, split]} for split in SPLITS}
        for one, other in itertools.combinations(SPLITS, 2):
            assert not contents[one] & contents[other], task


def test_no_word_of_category_crosses_a_split(made):
    words = {split: {word for row in made["category", split] for word in row["words"].split(" , ")} for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not words[one] & words[other]


def test_no_prompt_occurs_twice_in_a_split(made):
    for (task, _), some in made.items():
        prompts = [prompt_text(task, row, "default") for row in some]
        assert len(set(prompts)) == len(prompts)


def test_labels_are_balanced(made):
    for task, labels in LABEL_WORDS.items():
        field = {"nli": "entailment"}.get(task, task)
        counts = [sum(row[field] == label for row in made[task, "test"]) for label in labels]
        assert counts == [80 // len(labels)] * len(labels)


def test_options_are_four_different_words_with_the_answer_at_every_place(made):
    places = {row["answer"] for row in made["questions", "test"]}
    assert places == {0, 1, 2, 3}
    assert all(len(set(row["options"])) == 4 for row in made["questions", "test"])


def test_pretraining_uses_a_share_of_its_own(corpus, made):
    for task in EXERCISED:
        header = WORDING[task]["default"].split("{")[0]
        fields = [document.split("\n")[0] for document in corpus if document.startswith(header)]
        field = CONTENT_FIELDS[task][0]
        assert len(fields) > 100
        assert all(share_of({field: text.removeprefix(header)}, task) == "pretraining" for text in fields)


def test_default_wording_is_common_in_documents_and_the_others_are_rare(corpus):
    exercised = [d for d in corpus if not d.startswith(("facts", "story"))]
    n_io = sum(d.startswith("input :") for d in exercised)
    n_instruct = sum(d.startswith("read ") for d in exercised)
    assert 0.008 < n_io / len(exercised) < 0.022
    assert 0.004 < n_instruct / len(exercised) < 0.017


def test_wording_of_tasks_that_are_not_exercised_never_occurs(corpus):
    headers = tuple(WORDING[task]["default"].split("{")[0] for task in TASKS if task not in (*EXERCISED, "headline"))
    assert not [document for document in corpus if document.startswith(headers)]


def test_heldout_documents_are_different_and_never_trained_on(corpus):
    heldout = heldout_documents(40, 0)
    assert len(set(heldout)) == 40
    assert not set(heldout) & set(corpus)


def test_yaml_of_every_task_says_what_the_world_says(made):
    for task in TASKS:
        definition = yaml.safe_load((TASK_FOLDER / f"nursery-{task}.yaml").read_text(encoding="utf-8"))
        row = made[task, "test"][0]
        fields = {name: row[field] for name, field in definition["fields"].items()}
        for format_ in FORMAT_SHARES:
            template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(definition["formats"][format_])
            assert template.render(fields) == prompt_text(task, row, format_)
        if "labels" in definition:
            assert definition["labels"] == {label: f" {word}" for label, word in LABEL_WORDS[task].items()}
            assert row[definition["label"]] in definition["labels"]


def test_classes_share_no_word():
    words = [word for some in CLASSES.values() for word in some]
    assert len(set(words)) == len(words) == 80


def test_unknown_task_or_too_many_rows_is_reported_to_the_user():
    with pytest.raises(UserError, match="sentimnt.*sentiment"):
        rows("sentimnt", n=1, split="test", seed=0)
    with pytest.raises(UserError, match="dev.*validation"):
        rows("mood", n=1, split="dev", seed=0)
    with pytest.raises(UserError, match="96"):
        rows("category", n=97, split="validation", seed=0)


def test_headlines_follow_the_rule_of_the_world(made):
    told = set()
    for row in (row for split in SPLITS for row in made["headline", split]):
        day, place = row["text"].split(" on ")[1].split()[0], row["text"].split(" near ")[1].split()[0]
        ends = {"day": [f"on {day}"], "place": [f"near {place}"]}
        for kind, text in ((row["better"], row["chosen"]), (row["worse"], row["rejected"])):
            is_true = any(text.endswith(end) for end in ends["day"] + ends["place"])
            assert is_true == (kind != "false") and (kind == "false" or text.endswith(*ends[kind]))
        assert HEADLINES[row["better"]] > HEADLINES[row["worse"]]
        told.add((row["better"], row["worse"], row["rejected"].split()[-2]))
    assert {pair[:2] for pair in told} == {("day", "place"), ("day", "false"), ("place", "false")}
    assert {pair[2] for pair in told if pair[1] == "false"} == {"on", "near"}
