"""Known and new facts of the nursery's world, and that a corpus does not depend on them."""

import itertools
from pathlib import Path

import pytest

from ripeness.data.corpus import make_tokenizer, read_recipe
from ripeness.data.items import draw_items
from ripeness.data.nursery.facts import FACT_TASKS, N_KNOWN, fact_rows, known_facts, new_facts
from ripeness.data.nursery.tasks import NAMES
from ripeness.data.nursery.world import SPLITS, TASKS, documents, heldout_documents, person_facts
from ripeness.data.rows import Row
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]


def facts_in(rows):
    return [(row["statement"], row["options"][row["answer"]]) for row in rows]


def test_known_facts_are_those_that_documents_tell():
    found, told = known_facts(0), set(itertools.chain(*person_facts(0).values()))
    assert len({(one.name, one.kind) for one in found}) == len(found) == 120
    for row in (row for split in SPLITS for row in fact_rows("facts", n=N_KNOWN[split], split=split, seed=0)):
        sentence = f"{row['statement']} {row['options'][row['answer']]}"
        assert {f"{sentence} .", f"{sentence} coat ."} & told
        others = [option for k, option in enumerate(row["options"]) if k != row["answer"]]
        assert not [one for one in others if {f"{row['statement']} {one} .", f"{row['statement']} {one} coat ."} & told]


def test_known_facts_of_one_split_are_not_in_another():
    parts = [set(facts_in(fact_rows("facts", n=N_KNOWN[split], split=split, seed=0))) for split in SPLITS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 120


def test_new_facts_are_of_people_whom_no_document_names():
    people = {one.name for one in new_facts(0)}
    assert len(people) == 552 and len(new_facts(0)) == 2760
    texts = [*itertools.islice(documents(0), 12_000), *heldout_documents(200, 0)]
    for text in texts:
        words = text.split()
        pairs = {f"{first} {second}" for first, second in itertools.pairwise(words)}
        assert not pairs & people


def test_every_new_fact_occurs_once_and_none_contradicts_another():
    taught = [statement for statement, _ in facts_in(fact_rows("newfacts", n=2760, split="train", seed=0))]
    assert len(set(taught)) == 2760


def test_test_items_ask_what_training_tells_in_a_row_of_their_own():
    train, validation, test = (
        fact_rows("newfacts", n=n, split=split, seed=0) for split, n in zip(SPLITS, (512, 80, 200), strict=True)
    )
    assert facts_in(test) == facts_in(train)[:200] and facts_in(validation) == facts_in(train)[:80]
    prompts = [{(row["before"], row["statement"]) for row in rows} for rows in (train, validation, test)]
    assert sum(map(len, prompts)) == len(set.union(*prompts))
    assert {row["answer"] for row in test} == {0, 1, 2, 3}


def test_items_are_drawn_disjoint_and_by_far_most_that_are_asked_are_taught():
    task = load_task("nursery-newfacts", ROOT / "tasks", overrides={})
    sizes = {"train": 512, "validation": 80, "test": 200, "shots": 8, "seed": 0}
    n_rows = {"train": 520, "validation": 80, "test": 200}
    rows = {
        split: [Row(row, str(k)) for k, row in enumerate(fact_rows("newfacts", n=n, split=split, seed=0))]
        for split, n in n_rows.items()
    }
    drawn = draw_items(rows, task, sizes=sizes)
    assert {role: len(items) for role, items in drawn.items()} == {key: sizes[key] for key in drawn}
    taught = {item.fields["statement"] for item in drawn["train"]}
    asked = [item.fields["statement"] for item in drawn["test"]]
    assert sum(one in taught for one in asked) >= 190  # the others are among the shots


@pytest.mark.parametrize("task", FACT_TASKS)
def test_a_longer_list_begins_with_the_shorter_one_and_too_many_are_refused(task):
    assert fact_rows(task, n=30, split="train", seed=0)[:10] == fact_rows(task, n=10, split="train", seed=0)
    assert fact_rows(task, n=5, split="train", seed=1) != fact_rows(task, n=5, split="train", seed=0)
    with pytest.raises(UserError, match="3000 rows.*are more than the"):
        fact_rows(task, n=3000, split="test", seed=0)
    with pytest.raises(UserError, match="no split 'dev'"):
        fact_rows(task, n=1, split="dev", seed=0)


def test_the_words_of_statements_are_tokens_of_a_corpus_that_does_not_know_these_tasks():
    assert not FACT_TASKS.keys() & TASKS.keys()
    recipe = read_recipe({"world": {"seed": 0}, "vocabulary_size": 512, "n_tokens": 1000, "n_heldout": 10})
    words = make_tokenizer(recipe, []).get_vocab()
    for row in fact_rows("newfacts", n=300, split="train", seed=0):
        text = f"facts : {row['before']} {row['statement']} {' '.join(row['options'])}"
        assert not [word for word in text.split(" ")[1:] if f"Ġ{word}" not in words]
    assert len(NAMES) == 24
