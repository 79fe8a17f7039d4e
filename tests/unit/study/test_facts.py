"""What the task files say of published datasets, against facts from public sources (`published` in tests/rows/).

Rows, columns and label orders: dataset_infos.json of huggingface/datasets at the commit before 8803c182e6, where it has
the dataset; commits: those that public code pins, or `main` of a repository when it was looked at. Columns and their
types are tested in test_task_files.py.
"""

import re
from pathlib import Path

import pytest
from dataset_rows import read

from ripeness.study.schema import read_yaml
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
TASKS = ROOT / "tasks"
PUBLISHED = sorted(path.stem for path in TASKS.glob("*.yaml") if not path.stem.startswith("nursery-"))

BRANCHES = ("refs/convert/parquet", "main")
FACTS = {name: read(name)["published"] for name in PUBLISHED}
# names of branches that no commit is known for; all else is pinned
UNPINNED = {name for name, facts in FACTS.items() if facts["revision"] in BRANCHES}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_dataset_is_taken_from_where_it_lies(name):
    facts, task = FACTS[name], load_task(name, TASKS, overrides={})
    assert task.source.get("hub", task.source.get("github")) == facts["repository"]
    assert (task.source.get("revision"), task.source.get("config")) == (facts["revision"], facts.get("config"))
    assert task.rows == facts["rows"]
    assert task.source.get("splits", task.source)["test"] == facts.get("test", "test")


def test_the_study_of_amuro_and_char_pins_the_same_commits():
    study = read_yaml(ROOT / "studies/amuro-char.yaml")["datasets"]
    assert study["stsb"]["source"]["revision"] == "77bd85cf73a244d4503e477ce6de81196187839f"
    for name, keys in study.items():
        if "hub" in keys.get("source", {}) and keys["source"]["hub"] == FACTS[name]["repository"]:
            assert keys["source"]["revision"] == FACTS[name]["revision"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_labels_stand_in_the_order_of_the_data(name):
    task = load_task(name, TASKS, overrides={})
    assert task.values == FACTS[name].get("labels")  # none where labels are text, or options of their own


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_file_names_its_sources_and_licence(name):
    text = (TASKS / f"{name}.yaml").read_text(encoding="utf-8")
    comment = " ".join(re.findall(r"^# ?(.*)$", text, flags=re.MULTILINE))
    assert re.search(
        r"Sources: .*(dataset_infos\.json|the card of [\w-]+/|princeton-nlp/LLMBar at this commit)", comment
    )
    assert re.match(FACTS[name].get("licence", "."), load_task(name, TASKS, overrides={}).licence)
    if name in UNPINNED:
        assert (
            re.search(r"[Nn]o commit of|No commit is known", comment)
            and "`make resolve` records the current one" in comment
        )
