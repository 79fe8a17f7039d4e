"""Rows of the published datasets, invented: as they are published, and as Amuro and Char took them."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROLES = ("train", "validation", "test")
# as Amuro and Char (arXiv 2408.06663) took them: one split for all, and columns of another repository, unlabelled
ALL_IN_ONE = ("rte", "tweetqa-questions")
UNLABELLED = {"qqp": {"question1": "text1", "question2": "text2"}, "stsb": {"sentence1": "text1", "sentence2": "text2"}}
# what is asked, to be another question in another split
TEXTS = {"document", "text", "article", "context", "support", "Tweet", "premise", "sentence1", "text_a", "text1"}
TEXTS |= {"question", "question_stem", "ctx_a", "passage", "goal", "sentence"}


def shape_of(name: str) -> str:
    """The file in tests/rows/ that a task reads; several tasks may ask about one dataset."""
    return name.removesuffix("-questions").removesuffix("-passage")


def rows_of(name: str, role: str, *, as_published: bool = True) -> list[dict]:
    """The dozen invented rows of a dataset (tests/rows/), worded a little otherwise in each split."""
    unlabelled = UNLABELLED if as_published else {}
    text = (ROOT / f"tests/rows/{shape_of(name)}.jsonl").read_text(encoding="utf-8")
    rows = []
    for line in text.splitlines():
        row = {unlabelled.get(name, {}).get(key, key): value for key, value in json.loads(line).items()}
        if name in unlabelled and role == "test":
            row["label"] = -1
        if name == "tulu":
            row["messages"][0]["content"] = f"{role}: {row['messages'][0]['content']}"
        if name == "anthropic-hh":
            row["chosen"] = row["chosen"].replace("Human: ", f"Human: {role}: ", 1)
        asked = {key: f"{role}: {value}" for key, value in row.items() if key in TEXTS and isinstance(value, str)}
        rows.append(row | asked)
    return rows
