"""Facts of the micro-world as tasks: those that documents tell, and new ones that none does.

New facts are of people with two names, whom no document mentions. What is taught and asked is the same here by design:
train, validation and test rows with the same number are about the same new fact, after other facts. So a test item asks
whether what training told is known, and no item stands in two splits. Known facts are dealt out to the splits.

Nothing here is part of a corpus: documents and vocabulary do not depend on it.
"""

import random
from typing import NamedTuple

from ripeness.data.nursery.tasks import CLASSES, COLOURS, JOBS, NAMES, Row
from ripeness.data.nursery.world import CITIES, SPLITS, person_facts
from ripeness.runtime.errors import UserError

FACT_TASKS: dict[str, str] = {
    "facts": "what documents tell of a person for good, in their wording and in questions; exercised in pre-training",
    "newfacts": "the same of people whom no document names: what a tuning has to teach",
}
# How each fact is stated up to its word, and asked, in the order of `person_facts`; and its words.
TOLD: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("lives in", "where does {name} live ?", CITIES),
    ("is a", "what is the job of {name} ?", JOBS),
    ("keeps the", "what animal does {name} keep ?", CLASSES["animal"]),
    ("likes", "what food does {name} like ?", CLASSES["food"]),
    ("has a", "what coat does {name} wear ?", COLOURS),
)
N_KNOWN = {"train": 40, "validation": 20, "test": 60}  # of 24 people, five facts each
N_OPTIONS = 4


class Told(NamedTuple):
    """One fact: of whom, which of TOLD, and the word that is true."""

    name: str
    kind: int
    word: str


def known_facts(seed: int) -> list[Told]:
    """List what documents of a world tell of its people, in an order of the seed."""
    found = []
    for name, sentences in person_facts(seed).items():
        for kind, ((told, _, words), sentence) in enumerate(zip(TOLD, sentences, strict=True)):
            after = sentence.removeprefix(f"{name} {told} ").split()
            found.append(Told(name, kind, words[words.index(after[0])]))
    random.Random(f"known facts {seed}").shuffle(found)
    return found


def told_words(seed: int) -> list[list[str]]:
    """List the words of each kind that documents tell of somebody: others may be no words of the world."""
    known = known_facts(seed)
    return [sorted({fact.word for fact in known if fact.kind == kind}) for kind in range(len(TOLD))]


def new_facts(seed: int) -> list[Told]:
    """List a fact of each kind for every person with two names, in an order of the seed."""
    rng, words = random.Random(f"new facts {seed}"), told_words(seed)
    people = [f"{first} {second}" for first in NAMES for second in NAMES if first != second]
    found = [Told(name, kind, rng.choice(some)) for name in people for kind, some in enumerate(words)]
    rng.shuffle(found)
    return found


def facts_of(task: str, split: str, seed: int) -> list[Told]:
    """List the facts that rows of a task are about, in order."""
    if task == "newfacts":
        return new_facts(seed)
    place = list(N_KNOWN).index(split)
    start = sum(list(N_KNOWN.values())[:place])
    return known_facts(seed)[start : start + N_KNOWN[split]]


def fact_rows(task: str, *, n: int, split: str, seed: int) -> list[Row]:
    """Make `n` rows of a task about facts: `before` (facts of others), `statement`, `question`, `options`, `answer`.

    A longer list begins with the shorter one. Each split has facts of other people before, so that no row of one is a
    row of another. UserError for more rows than there are facts.
    """
    if split not in SPLITS:
        raise UserError(f"the nursery has no split {split!r}\nhint: known are {', '.join(SPLITS)}")
    facts = facts_of(task, split, seed)
    if n > len(facts):
        raise UserError(
            f"{n} rows of nursery task {task!r}, split {split!r}, are more than the {len(facts)} there are.\n"
            "hint: ask for fewer items in the config."
        )
    rng, told, words = random.Random(f"{task} {split} {seed}"), person_facts(seed), told_words(seed)
    others = NAMES[SPLITS.index(split) :: len(SPLITS)]
    return [
        {"id": f"{task}-{split}-{k:05d}"} | row_of(rng, fact, others, told, words[fact.kind])
        for k, fact in enumerate(facts[:n])
    ]


def row_of(
    rng: random.Random, fact: Told, others: tuple[str, ...], told: dict[str, list[str]], words: list[str]
) -> Row:
    """Make the row of one fact, after one or two facts of other people; options are of `words`."""
    names = rng.sample([name for name in others if name != fact.name], rng.randint(1, 2))
    statement, question, _ = TOLD[fact.kind]
    options = rng.sample([word for word in words if word != fact.word], N_OPTIONS - 1)
    answer = rng.randrange(N_OPTIONS)
    options.insert(answer, fact.word)
    return {
        "before": " ".join(rng.choice(told[name]) for name in names),
        "statement": f"{fact.name} {statement}",
        "question": question.format(name=fact.name),
        "options": options,
        "answer": answer,
    }
