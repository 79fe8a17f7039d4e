"""The tasks of the micro-world: its words, the wording of each task, and makers of rows with a known answer.

Everything here is drawn from a generator that the caller passes, so a seed says it all. `world.py` mixes the
pre-training documents from the same parts and deals rows out to splits.
"""

import random
from collections.abc import Callable
from typing import NamedTuple


def words(text: str) -> tuple[str, ...]:
    """Split a list of words at its spaces."""
    return tuple(text.split())


NAMES = words(
    "mara ben ida tom lea max nora paul rosa finn eva otto lily hugo anna karl emma leo jane erik ruth omar vera ivan"
)
CLASSES = {  # the semantic classes of task `category`: no document says which class a word is of
    "animal": words(
        "fox owl hen wolf bear deer goat horse duck mouse rabbit sheep crow frog snake eagle otter badger donkey swan"
    ),
    "food": words(
        "bread soup cheese apple honey rice butter cake plum onion bean pear nut berry carrot salad pie egg fig corn"
    ),
    "tool": words(
        "lamp hammer ladder rope basket bucket knife brush broom needle hook shovel candle mirror bottle key map "
        "drum flute axe"
    ),
    "place": words(
        "garden kitchen market forest school harbour museum station library bakery castle bridge church valley "
        "tower farm office hotel beach park"
    ),
}
TOOLS, PLACES = CLASSES["tool"], CLASSES["place"]
COLOURS = words("red blue green white black brown")
# Label words of the tasks that are never exercised occur in pre-training too, but only as looks of coats and as
# things that are drawn, each half as often as the one before it.
LOOKS = words("bright same sure grey other wrong")
DRAWN = words("place tool animal food")
JOBS = words("baker doctor sailor farmer painter teacher tailor miner")
DAYS = words("monday tuesday wednesday thursday friday")
DEEDS = words("sold bought lost found broke hid washed painted")
REVIEWED = words("film room music waiter bed song show view staff meal")
PRAISE = words("lovely clean fresh calm warm smart great sweet nice neat")
BLAME = words("awful dirty stale rude cold dull poor bitter weak ugly")

# What a person does with a word of each class: how it is told and how it is asked for.
DOINGS: dict[str, tuple[str, str]] = {
    "animal": ("saw", "what did {name} see ?"),
    "food": ("ate", "what did {name} eat ?"),
    "tool": ("took", "what did {name} take ?"),
    "place": ("went to", "where did {name} go ?"),
}

Row = dict[str, object]


class Fact(NamedTuple):
    """Who did what: the class of the word says what was done."""

    name: str
    kind: str
    word: str


# Prompts in the three formats, `str.format` over fields of the row. tasks/nursery-<task>.yaml says the same in
# Jinja2, and a test holds the two together.
WORDING: dict[str, dict[str, str]] = {
    "sentiment": {
        "default": "review : {text}\nverdict :",
        "io": "input : {text}\noutput :",
        "instruct": "read the review : {text} is the verdict good or bad ? answer :",
    },
    "questions": {
        "default": "passage : {passage}\nquestion : {question}\nanswer :",
        "io": "input : {passage} {question}\noutput :",
        "instruct": "read the passage : {passage} now answer the question : {question} answer :",
    },
    "summary": {
        "default": "news : {text}\nin short :",
        "io": "input : {text}\noutput :",
        "instruct": "read the news : {text} now say it in short . answer :",
    },
    "headline": {
        "default": "news : {text}\nin short :",
        "io": "input : {text}\noutput :",
        "instruct": "read the news : {text} now say it in short . answer :",
    },
    "mood": {
        "default": "text : {text}\nmood :",
        "io": "input : {text}\noutput :",
        "instruct": "read the text : {text} what is the mood ? answer :",
    },
    "category": {
        "default": "words : {words}\nkind :",
        "io": "input : {words}\noutput :",
        "instruct": "read the words : {words} what kind is it ? answer :",
    },
    "nli": {
        "default": "premise : {premise}\nclaim : {claim}\nlabel :",
        "io": "input : {premise} {claim}\noutput :",
        "instruct": "read the premise : {premise} is the claim sure or wrong ? {claim} answer :",
    },
    "paraphrase": {
        "default": "first : {first}\nsecond : {second}\nmeaning :",
        "io": "input : {first} {second}\noutput :",
        "instruct": "compare the first : {first} with the second : {second} is the meaning same or other ? answer :",
    },
}

# What a headline is worth that says the day, the place, or something false: the rule of task `headline`.
HEADLINES = {"day": 1.0, "place": 0.3, "false": 0.0}

# Label value -> word; questions carry their own options, summary its target, headline its answers.
LABEL_WORDS: dict[str, dict[str, str]] = {
    "sentiment": {"positive": "good", "negative": "bad"},
    "mood": {"good": "bright", "bad": "grey"},
    "category": {name: name for name in CLASSES},
    "nli": {"entailed": "sure", "not_entailed": "wrong"},
    "paraphrase": {"yes": "same", "no": "other"},
}


def choose_other(rng: random.Random, words: tuple[str, ...], taken: str) -> str:
    """Draw a word of `words` that is not `taken`."""
    return rng.choice([word for word in words if word != taken])


def make_clause(rng: random.Random, is_praise: bool) -> str:
    """Say one thing about one thing; a quarter of the clauses say it with a negation."""
    is_negated = rng.random() < 0.25
    adjective = rng.choice(PRAISE if is_praise != is_negated else BLAME)
    return f"the {rng.choice(REVIEWED)} was {'not ' if is_negated else ''}{adjective}"


def make_review(rng: random.Random, is_praise: bool) -> str:
    """Write two clauses of one polarity."""
    return f"{make_clause(rng, is_praise)} and {make_clause(rng, is_praise)} ."


def make_passage(rng: random.Random) -> tuple[str, list[Fact]]:
    """Tell three of the four things that a person did, in short sentences; return them with the facts."""
    name = rng.choice(NAMES)
    facts = [Fact(name, kind, rng.choice(CLASSES[kind])) for kind in rng.sample(list(DOINGS), 3)]
    return " ".join(sentence_of(fact) for fact in facts), facts


def sentence_of(fact: Fact) -> str:
    """State a fact."""
    return f"{fact.name} {DOINGS[fact.kind][0]} the {fact.word} ."


def make_statement(rng: random.Random, facts: list[Fact], is_true: bool) -> str:
    """State a fact of a passage, or the same with another word of the class."""
    fact = rng.choice(facts)
    if not is_true:
        fact = fact._replace(word=choose_other(rng, CLASSES[fact.kind], fact.word))
    return sentence_of(fact)


def make_sentiment(rng: random.Random, label: str) -> list[Row]:
    """Make one review with its sentiment."""
    return [{"text": make_review(rng, label == "positive"), "sentiment": label}]


def make_mood(rng: random.Random, label: str) -> list[Row]:
    """Make one review with its mood: the skill of `sentiment` under other label words and another wording."""
    return [{"text": make_review(rng, label == "good"), "mood": label}]


def make_questions(rng: random.Random, label: str) -> list[Row]:
    """Make a passage with two questions of four options each, all of the class that is asked for."""
    del label
    passage, facts = make_passage(rng)
    rows: list[Row] = []
    for fact in rng.sample(facts, 2):
        options = rng.sample([word for word in CLASSES[fact.kind] if word != fact.word], 3)
        index = rng.randrange(4)
        options.insert(index, fact.word)
        question = DOINGS[fact.kind][1].format(name=fact.name)
        rows.append({"passage": passage, "question": question, "options": options, "answer": index})
    return rows


def make_summary(rng: random.Random, label: str) -> list[Row]:
    """Make a piece of news with its headline: who did what to what and where, details left out."""
    del label
    name, deed, tool, place = rng.choice(NAMES), rng.choice(DEEDS), rng.choice(TOOLS), rng.choice(PLACES)
    news = f"{name} the {rng.choice(JOBS)} {deed} {tool} near {place} on {rng.choice(DAYS)} ."
    return [{"text": news, "summary": f"{name} {deed} {tool} near {place}"}]


def make_headline(rng: random.Random, label: str) -> list[Row]:
    """Make a piece of news with two headlines, of which the one that is worth more by `HEADLINES` is chosen.

    A false headline names another day or another place than the news.
    """
    del label
    name, deed, tool = rng.choice(NAMES), rng.choice(DEEDS), rng.choice(TOOLS)
    place, day = rng.choice(PLACES), rng.choice(DAYS)
    news = f"{name} the {rng.choice(JOBS)} {deed} {tool} near {place} on {day} ."
    is_of_day = rng.random() < 0.5
    ends = {
        "day": f"on {day}",
        "place": f"near {place}",
        "false": f"on {choose_other(rng, DAYS, day)}" if is_of_day else f"near {choose_other(rng, PLACES, place)}",
    }
    better, worse = sorted(rng.sample(list(HEADLINES), 2), key=lambda kind: -HEADLINES[kind])
    says = {kind: f"{name} {deed} {tool} {end}" for kind, end in ends.items()}
    return [{"text": news, "chosen": says[better], "rejected": says[worse], "better": better, "worse": worse}]


def make_nli(rng: random.Random, label: str) -> list[Row]:
    """Make a premise and a claim that follows from it or not."""
    passage, facts = make_passage(rng)
    return [{"premise": passage, "claim": make_statement(rng, facts, label == "entailed"), "entailment": label}]


def make_paraphrase(rng: random.Random, label: str) -> list[Row]:
    """Make two sentences of one meaning, or of another by swapped roles (half) or another tool."""
    giver, taker = rng.sample(NAMES, 2)
    tool = rng.choice(TOOLS)
    first = f"{giver} gave the {tool} to {taker} ."
    if label == "no" and rng.random() < 0.5:
        giver, taker = taker, giver
    elif label == "no":
        tool = choose_other(rng, TOOLS, tool)
    second = f"{taker} got the {tool} from {giver} ."
    if rng.random() < 0.5:
        first, second = second, first
    return [{"first": first, "second": second, "paraphrase": label}]


def category_words(label: str, split: str) -> tuple[str, ...]:
    """Give the words of a class that a split may use: 8 for train, 4 for validation, 8 for test."""
    start, end = {"train": (0, 8), "validation": (8, 12), "test": (12, 20)}[split]
    return CLASSES[label][start:end]


def make_category(rng: random.Random, label: str, split: str) -> list[Row]:
    """Make three words of one class; no word of one split occurs in another."""
    return [{"words": " , ".join(rng.sample(category_words(label, split), 3)), "category": label}]


MAKERS: dict[str, Callable[..., list[Row]]] = {
    "sentiment": make_sentiment,
    "questions": make_questions,
    "summary": make_summary,
    "headline": make_headline,
    "mood": make_mood,
    "category": make_category,
    "nli": make_nli,
    "paraphrase": make_paraphrase,
}

# Field whose text decides the split of a row, so that what is asked about never crosses a split.
CONTENT_FIELDS: dict[str, tuple[str, ...]] = {
    "sentiment": ("text",),
    "questions": ("passage",),
    "summary": ("text",),
    "headline": ("text",),
    "mood": ("text",),
    "category": (),  # its words are dealt out instead
    "nli": ("premise",),
    "paraphrase": ("first", "second"),
}


def answer_text(task: str, row: Row) -> str:
    """Give the answer of a row as the word or words that follow the prompt and a space."""
    if task == "questions":
        return row["options"][row["answer"]]  # type: ignore[index]  # values differ by column
    if task == "summary":
        return str(row["summary"])
    if task == "headline":
        return str(row["chosen"])
    field = {"nli": "entailment"}.get(task, task)
    return LABEL_WORDS[task][str(row[field])]


def prompt_text(task: str, row: Row, format_: str) -> str:
    """Render the prompt of a row in one of the three formats."""
    return WORDING[task][format_].format(**row)
