"""A seeded micro-world of people, places, tools, animals and foods: documents to pre-train on and rows to tune on.

Three tasks are exercised in the documents (`sentiment`, `questions`, `summary`), five never are (`mood`,
`category`, `nli`, `paraphrase`, and of `headline` but headlines that name the place). Which documents exist is written
here; what a model learns from them, and when, is not. Rows of a task are dealt to the splits by a hash of what they are
about, and pre-training uses a share of its own, so that neither a tuned nor an untouched model has met a question of
another split.
"""

import random
import zlib
from collections.abc import Iterator

from ripeness.data.nursery.tasks import (
    CLASSES,
    COLOURS,
    CONTENT_FIELDS,
    DRAWN,
    JOBS,
    LABEL_WORDS,
    LOOKS,
    MAKERS,
    NAMES,
    Row,
    answer_text,
    category_words,
    make_passage,
    make_statement,
    prompt_text,
)
from ripeness.runtime.errors import UserError

TASKS: dict[str, str] = {
    "sentiment": "is a review of two clauses good or bad; exercised in pre-training",
    "questions": "what a person did, by a short passage, four options of one class; exercised in pre-training",
    "summary": "a piece of news as a headline of five words, answered by text; exercised in pre-training",
    "headline": "of two headlines of six words the one that is worth more: a day 1, a place 0.3, a false one 0",
    "mood": "the reviews of sentiment under other label words and wording; never exercised",
    "category": "the semantic class of three words, tested on words that are not in train; never exercised",
    "nli": "does a claim follow from a premise; never exercised (negative control)",
    "paraphrase": "do two sentences say the same, roles swapped or not; never exercised (negative control)",
}
EXERCISED = ("sentiment", "questions", "summary")
SPLITS = ("train", "validation", "test")

# Share of the kinds of document, by documents.
MIXTURE: dict[str, float] = {
    "facts": 0.14,
    "story": 0.14,
    "check": 0.10,
    "sentiment": 0.16,
    "questions": 0.28,
    "summary": 0.18,
}
# Wording of an exercised document; io and instruct are rare so that format sensitivity can be seen to come and go.
FORMAT_SHARES: dict[str, float] = {"default": 0.975, "io": 0.015, "instruct": 0.01}

HALVING = (32, 16, 8, 4, 2, 1)
CITIES = tuple(["oslo", "rome", "paris", "delhi", "lima", "cairo", "quito", "tokyo"])


def fingerprint(text: str) -> int:
    """Hash a text to 32 bits, the same on every machine."""
    return zlib.crc32(text.encode())


def share_of(row: Row, task: str) -> str:
    """Name the share of the world that a row belongs to: test 2/16, validation 1/16, train 2/16, pretraining 11/16.

    Tasks about the same content (sentiment and mood; questions, nli and checks) deal it out alike.
    """
    bucket = fingerprint("|".join(sorted(str(row[field]) for field in CONTENT_FIELDS[task]))) % 16
    return ("test", "test", "validation", "train", "train")[bucket] if bucket < 5 else "pretraining"


def person_facts(seed: int) -> dict[str, list[str]]:
    """Draw what is true of each person for good: city, trade, pet, food, colour; a sentence each."""
    rng = random.Random(f"facts {seed}")
    return {
        name: [
            f"{name} lives in {rng.choice(CITIES)} .",
            f"{name} is a {rng.choice(JOBS)} .",
            f"{name} keeps the {rng.choice(CLASSES['animal'])} .",
            f"{name} likes {rng.choice(CLASSES['food'])} .",
            f"{name} has a {rng.choice(COLOURS)} coat .",
        ]
        for name in NAMES
    }


def write_facts(rng: random.Random, facts: dict[str, list[str]]) -> str:
    """Write three or four facts; early names are told of more often than late ones."""
    weights = [1 / (rank + 3) for rank in range(len(NAMES))]
    people = rng.choices(NAMES, weights, k=rng.randint(3, 4))
    return "facts : " + " ".join(rng.choice(facts[name]) for name in people)


def write_story(rng: random.Random) -> str:
    """Write four to seven events about two people, who keep to the few things and places of their story.

    Each class of words has its own verbs, and what was told comes up again, so that looking back pays.
    """
    people = rng.sample(NAMES, 2)
    animal, food, tool, place = (rng.choice(CLASSES[kind]) for kind in ("animal", "food", "tool", "place"))
    look, drawn = (rng.choices(words, HALVING[: len(words)])[0] for words in (LOOKS, DRAWN))
    events = []
    for _ in range(rng.randint(4, 7)):
        name, other = rng.sample(people, 2)
        events.append(
            rng.choice(
                (
                    f"{name} saw the {animal} .",
                    f"{name} fed the {animal} .",
                    f"the {animal} ran from {name} .",
                    f"{name} ate the {food} .",
                    f"{name} shared the {food} with {other} .",
                    f"{name} took the {tool} .",
                    f"{name} gave the {tool} to {other} .",
                    f"{name} got the {tool} from {other} .",
                    f"{name} went to the {place} .",
                    f"{name} met {other} in the {place} .",
                    f"{name} found the coat of {other} {look} .",
                    f"{name} drew the {drawn} for {other} .",
                )
            )
        )
    return "story : " + " ".join(events)


def write_check(rng: random.Random) -> str:
    """Write a passage and two statements with yes or no behind each."""
    passage, facts = make_passage(rng)
    while share_of({"premise": passage}, "nli") != "pretraining":
        passage, facts = make_passage(rng)
    lines = [f"story : {passage}"]
    for _ in range(2):
        is_true = rng.random() < 0.5
        lines.append(f"check : {make_statement(rng, facts, is_true)} {'yes' if is_true else 'no'}")
    return "\n".join(lines)


def write_exercise(rng: random.Random, task: str) -> str:
    """Write a row of an exercised task with its answer, in one of the three wordings.

    Further questions about the same passage follow in the default wording without the passage.
    """
    group = draw_group(rng, task, "pretraining")
    format_ = rng.choices(list(FORMAT_SHARES), list(FORMAT_SHARES.values()))[0]
    prompts = [prompt_text(task, row, format_) for row in group]
    if len(group) > 1 and format_ == "default":
        prompts[1:] = [prompt[prompt.index("\n") :] for prompt in prompts[1:]]
    else:
        group = group[:1]
    return "".join(f"{prompt} {answer_text(task, row)}" for prompt, row in zip(prompts, group, strict=False))


def draw_group(rng: random.Random, task: str, split: str, label: str | None = None) -> list[Row]:
    """Draw rows about one content that belongs to `split`; `label` is drawn where it is not given."""
    labels = list(LABEL_WORDS.get(task, {"": ""}))
    if task == "category":
        return MAKERS[task](rng, label or rng.choice(labels), split)
    while True:
        group = MAKERS[task](rng, label or rng.choice(labels))
        if share_of(group[0], task) == split:
            return group


def stream(seed: int, name: str) -> Iterator[str]:
    """Give documents of the fixed mixture without end."""
    rng = random.Random(f"{name} {seed}")
    facts = person_facts(seed)
    kinds, shares = list(MIXTURE), list(MIXTURE.values())
    while True:
        for kind in rng.choices(kinds, shares, k=256):
            if kind == "facts":
                yield write_facts(rng, facts)
            elif kind == "story":
                yield write_story(rng)
            elif kind == "check":
                yield write_check(rng)
            else:
                yield write_exercise(rng, kind)


def is_heldout(document: str) -> bool:
    """Say whether a document is kept from pre-training, by its text."""
    return fingerprint(document) % 32 == 0


def documents(seed: int) -> Iterator[str]:
    """Give the documents of pre-training without end; none of them is a held-out document."""
    return (document for document in stream(seed, "documents") if not is_heldout(document))


def heldout_documents(n: int, seed: int) -> list[str]:
    """Give `n` different documents of the same mixture that `documents` never gives, whatever its length."""
    found: dict[str, None] = {}
    for document in stream(seed, "held-out"):
        if is_heldout(document):
            found[document] = None
            if len(found) >= n:
                return list(found)
    raise AssertionError("the stream has no end")


def check_request(task: str, n: int, split: str) -> None:
    """Raise UserError for a task or split that the world does not have, or more rows than it can make."""
    for value, choices, what in ((task, tuple(TASKS), "task"), (split, SPLITS, "split")):
        if value not in choices:
            raise UserError(
                f"Unknown {what} {value!r} of the nursery; known are {', '.join(choices)}.\n"
                f"hint: a dataset names its task under source: {{world: <task>}} in tasks/."
            )
    n_words = len(category_words("tool", split))
    most = {"train": 4000, "validation": 1000, "test": 2000}[split]
    if task == "category":
        most = min(most, len(CLASSES) * n_words * (n_words - 1) * (n_words - 2))
    if n > most:
        raise UserError(
            f"{n} rows of nursery task {task!r}, split {split!r}, are more than the {most} there are.\n"
            "hint: ask for fewer items in the config."
        )


def rows(task: str, *, n: int, split: str, seed: int) -> list[Row]:
    """Make `n` rows of a task, as a published dataset would have them: `id`, fields, label or answer.

    Labels are balanced. A longer list begins with the shorter one. Ids are unique over splits, and no content of one
    split (review, passage, news, pair; for category, word) occurs in another or in pre-training.
    """
    check_request(task, n, split)
    rng = random.Random(f"{task} {split} {seed}")
    labels = list(LABEL_WORDS.get(task, {"": ""}))
    made: dict[str, Row] = {}
    queue: list[str] = []
    n_groups = 0
    while len(made) < n:
        if not queue:
            queue = rng.sample(labels, len(labels))
        group = draw_group(rng, task, split, queue[-1])
        keys = [prompt_text(task, row, "default") for row in group]
        if any(key in made for key in keys):
            continue
        queue.pop()
        for key, row in zip(keys, group, strict=True):
            made[key] = {"id": f"{task}-{split}-{len(made):05d}", **row}
            if task == "questions":
                made[key]["cluster"] = f"{task}-{split}-passage-{n_groups:05d}"
            if task == "category":
                made[key]["cluster"] = " ".join(sorted(str(row["words"]).split(" , ")))
        n_groups += 1
    return list(made.values())[:n]
