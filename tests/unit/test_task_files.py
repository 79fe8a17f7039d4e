"""Every task file against a dozen rows in the published shape, and against real rows where they are at hand.

The rows of tests/rows/ are invented; their columns and types are those of the dataset on the hub. How prompts made from
them must read is written out by hand.
"""

import json
import os
from pathlib import Path

import pytest

from ripeness import world
from ripeness.errors import UserError
from ripeness.examples import examples
from ripeness.items import draw_items, item_of, read_items
from ripeness.rows import Row
from ripeness.tasks import load_task

ROOT = Path(__file__).parents[2]
TASKS, ROWS = ROOT / "tasks", ROOT / "tests/rows"
DATA = Path(os.environ.get("RIPENESS_TEST_DATA", ROOT.parent / "shared")).resolve() / "data"
NAMES = sorted(path.stem for path in TASKS.glob("*.yaml"))
PUBLISHED = [name for name in NAMES if not name.startswith("nursery-")]
FORMATS = {"choice": ["default", "io", "instruct", "chat", "lettered"]}
FORMATS["generation"] = FORMATS["choice"][:-1]
SIZES = {"train": 4, "validation": 2, "test": 3, "shots": 1, "seed": 0}

# columns and types as published; datasets of one shape stand together
PAIR = {"label": int, "idx": int}
ARC = {"id": str, "question": str, "choices": dict, "answerKey": str}
LLMBAR = {"input": str, "output_1": str, "output_2": str, "label": int}
MNLI = {"premise": str, "hypothesis": str} | PAIR
COLUMNS = {
    "arc-challenge": ARC,
    "arc-easy": ARC,
    "boolq": {"question": str, "answer": bool, "passage": str},
    "cnn-dailymail": {"article": str, "highlights": str, "id": str},
    "gpt3nli": {"text_a": str, "text_b": str, "label": int, "guid": int},
    "gsm8k": {"question": str, "answer": str},
    "hellaswag": {"ind": int}
    | dict.fromkeys(("activity_label", "ctx_a", "ctx_b", "ctx"), str)
    | {"endings": list}
    | dict.fromkeys(("source_id", "split", "split_type", "label"), str),
    "llmbar-adversarial": LLMBAR,
    "llmbar-natural": LLMBAR,
    "mnli": MNLI,
    "mnli-mismatched": MNLI,
    "openbookqa": {"id": str, "question_stem": str, "choices": dict, "answerKey": str},
    "paws": {"id": int, "sentence1": str, "sentence2": str, "label": int},
    "qqp": {"question1": str, "question2": str} | PAIR,
    "rte": {"sentence1": str, "sentence2": str} | PAIR,
    "sciq": dict.fromkeys(("question", "distractor3", "distractor1", "distractor2", "correct_answer", "support"), str),
    "socialiqa": dict.fromkeys(("context", "question", "answerA", "answerB", "answerC", "label"), str),
    "stsb": {"sentence1": str, "sentence2": str, "label": float, "idx": int},
    "tulu": {"dataset": str, "id": str, "messages": list},
    "tweetqa": {"Question": str, "Answer": list, "Tweet": str, "qid": str},
    "xlsum": dict.fromkeys(("id", "url", "title", "summary", "text"), str),
    "xsum": dict.fromkeys(("document", "summary", "id"), str),
}
# the places of rows that a task leaves out: a conversation without an answer, questions without a passage
LEFT_OUT = {"tulu": [10], "sciq-questions": [3, 8]}


def published(name):
    """Read the dozen rows that a task reads; tasks on one dataset share them."""
    task = load_task(name, TASKS, overrides={})
    if "world" in task.source:
        made = world.rows(task.source["world"], n=12, split="test", seed=0)
    else:
        text = (ROWS / f"{name.removesuffix('-questions')}.jsonl").read_text(encoding="utf-8")
        made = [json.loads(line) for line in text.splitlines()]
    return [Row(values, f"{name}:{place}") for place, values in enumerate(made)]


def example(name, place, format_):
    """Word one row in a format."""
    task = load_task(name, TASKS, overrides={})
    return next(examples([item_of(published(name)[place], task, "1")], task, format_))


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_have_the_columns_and_types_as_published(name):
    rows = published(name)
    assert len(rows) == 12
    for row in rows:
        assert {column: type(value) for column, value in row.values.items()} == COLUMNS[name]


def test_there_are_rows_for_every_task_and_no_others():
    files = {path.stem for path in ROWS.glob("*.jsonl")}
    assert files == set(COLUMNS) == {name.removesuffix("-questions") for name in PUBLISHED}


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_read_and_every_label_is_reached(name):
    task = load_task(name, TASKS, overrides={})
    items = read_items(published(name), task, "rows")
    kept = [place for place in range(12) if place not in LEFT_OUT.get(name, [])]
    assert [item.id for item in items] == [f"rows:{place + 1}" for place in kept] or task.id
    golds = {item.gold for item in items}
    if task.kind == "generation":
        assert golds == {-1} and all(item.target == item.references[0] for item in items)
    else:
        assert golds == set(range(len(task.labels) if task.labels else max(golds) + 1)) and len(golds) > 1
        assert all(item.choices[item.gold] == item.target for item in items)
    if task.cluster and task.source.get("world") != "category":
        assert len({item.cluster for item in items}) <= len(items)


@pytest.mark.parametrize("name", NAMES)
def test_every_format_words_every_item_and_no_two_alike(name):
    task = load_task(name, TASKS, overrides={"source": dict.fromkeys(("train", "validation", "test"), "a")})
    assert list(task.formats) == FORMATS[task.kind]
    drawn = draw_items({"a": published(name)}, task, sizes=SIZES)
    for item in [item for items in drawn.values() for item in items]:
        made = {format_: next(examples([item], task, format_)) for format_ in task.formats}
        assert len({(row["prompt"], str(row["turns"])) for row in made.values()}) == len(made)
        for format_, row in made.items():
            read = row["prompt"] + "".join(turn["content"] for turn in row["turns"])
            texts = [value for value in item.fields.values() if isinstance(value, str)]
            assert read.strip() and "{{" not in read and all(text in read for text in texts)
            assert (format_ == "chat") == bool(row["turns"])
            assert row["target"] == (row["choices"][row["gold"]] if item.choices else row["target"])
            assert row["target"][0].isspace() != (format_ == "chat" or row["prompt"][-1].isspace())
            # what io lacked in Amuro & Char: a mark where the input ends
            assert format_ != "io" or row["prompt"].endswith(("\nOutput:", "\noutput :"))


# what stands in unlabelled splits of these datasets
UNLABELLED = dict.fromkeys(("boolq", "gpt3nli", "mnli", "mnli-mismatched", "paws", "qqp", "rte"), -1)
UNLABELLED |= dict.fromkeys(("arc-easy", "arc-challenge", "hellaswag", "openbookqa", "socialiqa"), "")
UNLABELLED |= {"stsb": -1.0, "tweetqa": []}


@pytest.mark.parametrize("name", UNLABELLED)
def test_a_row_without_a_label_is_refused_and_has_no_gold(name):
    task, row = load_task(name, TASKS, overrides={}), published(name)[0]
    (column,) = {"label", "answer", "answerKey", "Answer"} & row.values.keys()
    assert item_of(row, task, "1").target
    with pytest.raises(UserError, match=rf"^{name}:0: .*\nhint: "):
        item_of(Row(row.values | {column: UNLABELLED[name]}, row.where), task, "1")


# one row of each dataset: its place, and by format what is read and the answers that may follow, the right one marked
YES = [" yes", "> no"]
EXPECTED = {
    ("arc-easy", 2): {
        "default": ("Question: Which animal hatches from an egg?\nAnswer:", [" horse", " bat", "> duck", " seal"]),
        "lettered": (
            "Question: Which animal hatches from an egg?\nA. horse\nB. bat\nC. duck\nD. seal\nAnswer:",
            [" A", " B", "> C", " D"],
        ),
        "chat": (
            "user: Which animal hatches from an egg? Just the answer, please.",
            ["horse", "bat", ">duck", "seal"],
        ),
    },
    ("arc-challenge", 8): {
        "io": (
            "Input: Which of these carries information from parents to offspring?\nOutput:",
            ["> DNA", " blood sugar", " bone"],
        ),
        "lettered": (
            "Question: Which of these carries information from parents to offspring?\n"
            "A. DNA\nB. blood sugar\nC. bone\nAnswer:",
            ["> A", " B", " C"],
        ),
    },
    ("boolq", 8): {
        "default": (
            "Chess -- Chess is recognised as a sport by the International Olympic Committee, but it is not part of the "
            "Olympic Games. Since 1927 there have been Chess Olympiads of its own federation.\n"
            "Question: is chess played at the olympic games?\nAnswer:",
            [" yes", "> no"],
        ),
    },
    ("cnn-dailymail", 6): {
        "default": (
            "Article: (Example News) -- Rain fell on the town of Ocre on Thursday for the first time in fourteen "
            "months. "
            "Children who had never seen it were let out of school. The reservoir is still at a tenth of what it "
            "holds, "
            "and water will be brought by train until the winter. Farmers warned that one shower makes no season. But "
            "the brass band played in the square, under umbrellas that people had to borrow.\nHighlights:",
            [
                "> Rain falls on Ocre for the first time in fourteen months .\nReservoir still holds only a tenth of "
                "its water .\nTrains will bring water until the winter ."
            ],
        ),
    },
    ("gpt3nli", 2): {
        "default": (
            "Premise: A boy in a yellow raincoat is jumping over a puddle.\nHypothesis: The boy is asleep in bed.\n"
            "The hypothesis is",
            [" true", " unsure", "> false"],
        ),
        "chat": (
            "user: Suppose this is so: A boy in a yellow raincoat is jumping over a puddle.\n"
            "Is the following then true, false or unsure? The boy is asleep in bed.",
            ["true", "unsure", ">false"],
        ),
    },
    ("gsm8k", 1): {
        "instruct": (
            "Solve this problem step by step.\nA bus starts with 14 people. At the first stop 5 get off and 8 get on. "
            "How many are on the bus then?\nAnswer:",
            ["> After 5 get off there are 14-5=<<14-5=9>>9 people.\nThen there are 9+8=<<9+8=17>>17.\n#### 17"],
        ),
    },
    ("hellaswag", 3): {
        "default": (
            "Home and Garden: How to clean a birdbath. Empty it. Tip the old water onto the flower bed.",
            [
                " Fill it with milk. Birds are fond of milk and will thank you.",
                " Leave it so, and the birds will do the rest by the end of the year.",
                " Paint the flowers with what is left.",
                "> If leaves stick to the bowl, loosen them with a brush. Scrub it. Use plain water.",
            ],
        ),
    },
    ("hellaswag", 8): {
        "lettered": (
            "Skipping rope: Two girls turn a long rope in a yard. A boy waits for the right moment and\n"
            "How does it go on?\nA. jumps in.\nB. cuts down a tree.\nC. reads them the news.\n"
            "D. falls asleep on a ladder.\nAnswer:",
            ["> A", " B", " C", " D"],
        ),
    },
    ("llmbar-adversarial", 1): {
        "default": (
            "Instruction: Reply with the word 'pear' and nothing else.\nResponse:",
            [
                " Of course! Here is the word that you asked for, with my best wishes: pear. Pears are rich in "
                "fibre and "
                "taste wonderful with cheese.",
                "> pear",
            ],
        ),
        "chat": (
            "user: Reply with the word 'pear' and nothing else.",
            [
                "Of course! Here is the word that you asked for, with my best wishes: pear. Pears are rich in "
                "fibre and "
                "taste wonderful with cheese.",
                ">pear",
            ],
        ),
    },
    ("llmbar-natural", 0): {
        "lettered": (
            "Instruction: List three colours of the rainbow in alphabetical order.\n"
            "Which response does what the instruction asks for?\nA. Blue, green, red.\nB. Red, orange, "
            "yellow.\nAnswer:",
            ["> A", " B"],
        ),
    },
    ("mnli", 1): {
        "lettered": (
            "Premise: The ferry left the harbour an hour late because a lorry had broken down on the ramp.\n"
            "Hypothesis: The lorry was carrying apples.\nThe hypothesis is\nA. true\nB. unsure\nC. false\nAnswer:",
            [" A", "> B", " C"],
        ),
    },
    ("mnli-mismatched", 4): {
        "io": (
            "Input: uh-huh and then we'd all sit on the porch and shell peas until it got too dark to see\n"
            "Their grandmother told them stories meanwhile.\nOutput:",
            [" true", "> unsure", " false"],
        ),
    },
    ("openbookqa", 6): {
        "default": (
            "Question: If a mirror is broken,\nAnswer:",
            [
                " light passes through it",
                " it becomes a window",
                "> each piece still reflects light",
                " it makes more light",
            ],
        ),
    },
    ("paws", 1): {
        "chat": (
            "user: Compare these two sentences.\nIn 1954 , he moved from Leeds to Hull , where he taught chemistry .\n"
            "He moved from Leeds to Hull in 1954 , where he taught chemistry .\n"
            "Do they say the same? Yes or no, please.",
            [">yes", "no"],
        ),
    },
    ("qqp", 3): {
        "default": ("Question 1: Why do cats purr?\nQuestion 2: Why do cats hate water?\nThe same meaning:", YES),
        "lettered": (
            "Question 1: Why do cats purr?\nQuestion 2: Why do cats hate water?\nDo they ask for the same?\n"
            "A. yes\nB. no\nAnswer:",
            [" A", "> B"],
        ),
    },
    ("rte", 6): {
        "instruct": (
            "Read the premise and say whether the hypothesis is true or false.\nThe comet, first seen by a "
            "schoolteacher "
            "in Peru, will pass the Earth at a distance of 40 million kilometres in May.\n"
            "A schoolteacher discovered the comet.\nAnswer:",
            ["> true", " false"],
        ),
    },
    ("sciq", 3): {
        "default": (
            "Question: What is the smallest unit of a chemical element?\nAnswer:",
            [" molecule", "> atom", " cell", " crystal"],
        ),
    },
    ("sciq-questions", 0): {
        "io": (
            "Input: In daylight the leaves of green plants take in carbon dioxide and water, from which they make "
            "sugar. "
            "The oxygen that is left over leaves the plant by small openings on the underside of the leaf.\n"
            "helium\nmethane\nchlorine\noxygen\nOutput:",
            ["> What gas do green plants give off in daylight?"],
        ),
    },
    ("socialiqa", 2): {
        "default": (
            "Sasha practised the same page of music for three weeks before the concert.\n"
            "Question: Why did Sasha do this?\nAnswer:",
            [" dislike the piano", " forget the date", "> play it without a mistake"],
        ),
    },
    ("socialiqa-questions", 2): {
        "default": (
            "Sasha practised the same page of music for three weeks before the concert.\n"
            "Possible answers: dislike the piano; forget the date; play it without a mistake\nQuestion:",
            ["> Why did Sasha do this?"],
        ),
        "chat": (
            "user: Sasha practised the same page of music for three weeks before the concert. Somebody asks a question "
            "about this, and the answers to choose from are:\nA. dislike the piano\nB. forget the date\n"
            "C. play it without a mistake\nWhat is the question?",
            [">Why did Sasha do this?"],
        ),
    },
    ("stsb", 3): {
        "default": (
            "Sentence 1: The minister resigned on Tuesday over the affair.\n"
            "Sentence 2: The minister resigned over the affair, her office said.\nThe same meaning:",
            ["> yes", " no"],
        ),
    },
    ("stsb", 4): {  # 3.5 itself is not above
        "default": (
            "Sentence 1: A boy is riding a horse along the beach.\nSentence 2: A boy is riding a pony on the sand.\n"
            "The same meaning:",
            [" yes", "> no"],
        ),
    },
    ("tulu", 4): {
        "default": (
            "[user]\nHi! What can I plant in October?\n\n[assistant]\nGarlic, broad beans and many bulbs, if the "
            "ground "
            "is not frozen.\n\n[user]\nAnd how deep goes the garlic?\n\n[assistant]\n",
            [">About five centimetres, with the tip up."],
        ),
        "io": (
            "Input: Hi! What can I plant in October?\nOutput: Garlic, broad beans and many bulbs, if the ground is not "
            "frozen.\nInput: And how deep goes the garlic?\nOutput:",
            ["> About five centimetres, with the tip up."],
        ),
        "chat": (
            "user: Hi! What can I plant in October?|assistant: Garlic, broad beans and many bulbs, if the ground "
            "is not "
            "frozen.|user: And how deep goes the garlic?",
            [">About five centimetres, with the tip up."],
        ),
    },
    ("tweetqa", 5): {
        "default": (
            "Tweet: The museum is closed today since a heron has settled in the lobby. We open when it "
            "leaves.\u2014 Tarn "
            "Museum (@tarnmuseum) June 11, 2018\nQuestion: why is the museum closed?\nAnswer:",
            ["> a heron has settled in the lobby"],
        ),
    },
    ("tweetqa-questions", 5): {
        "instruct": (
            "Write the question about this tweet that has the answer below.\nThe museum is closed today since a "
            "heron has "
            "settled in the lobby. We open when it leaves.\u2014 Tarn Museum (@tarnmuseum) June 11, 2018\n"
            "The answer: a heron has settled in the lobby\nQuestion:",
            ["> why is the museum closed?"],
        ),
    },
    ("xlsum", 8): {
        "chat": (
            "user: What does this article report? Answer with one sentence.\n\nThe new bank notes of the islands "
            "will bear "
            "no kings or poets, but a potato, a herring and a sheep.\n\nThe designs won a public vote in which 61% "
            "took "
            'part. The central bank had hoped for lighthouses.\n\n"They kept us alive," said designer Eva Thom. "The '
            'poets can have the coins."',
            [">Islanders have voted to put a potato, a herring and a sheep on their money."],
        ),
    },
    ("xsum", 3): {
        "default": (
            "Article: Ten-year-old Devi Rao has become the youngest player to beat a grandmaster at the national "
            "open.\n"
            "She won with black in 58 moves after her opponent, three times champion Karl Moss, let an hour pass "
            "over a "
            "sacrifice.\nRao learned the game from her grandmother at six and plays at a library in the suburbs, where "
            'the club has no clock of its own.\nMoss said afterwards that he had been "taught a lesson in patience".\n'
            "She meets the leader of the tournament in the next round.\nSummary:",
            ["> A girl of ten has beaten a chess grandmaster, the youngest to do so at the national open."],
        ),
    },
}


def test_every_task_is_written_out_by_hand_somewhere():
    assert {name for name, _ in EXPECTED} == set(PUBLISHED)


@pytest.mark.parametrize(
    ("name", "place", "format_"), [(*key, format_) for key, formats in EXPECTED.items() for format_ in formats]
)
def test_a_row_is_worded_as_written_out_by_hand(name, place, format_):
    made, (prompt, answers) = example(name, place, format_), EXPECTED[name, place][format_]
    read = "|".join(f"{turn['role']}: {turn['content']}" for turn in made["turns"]) or made["prompt"]
    assert read == prompt
    right = [answer.startswith(">") for answer in answers].index(True)
    assert (made["choices"] or [made["target"]]) == [answer.removeprefix(">") for answer in answers]
    assert made["target"] == answers[right].removeprefix(">") and made["gold"] == (right if made["choices"] else -1)


def test_a_tweet_has_all_its_answers():
    assert example("tweetqa", 8, "default")["references"] == ["four hours", "4 hours"]


# Where rows at hand name other columns than those on the hub: the keys that say so.
LISTED = {"options": "choices", "answer": "gold"}
REAL = {
    "arc_easy": ("arc-easy", LISTED),
    "boolq": ("boolq", {}),
    "gpt3_nli": ("gpt3nli", {}),
    "gsm8k": ("gsm8k", {}),
    "mnli": ("mnli", {}),
    "openbookqa": ("openbookqa", LISTED | {"fields": {"question": "question"}}),
    "paws": ("paws", {}),
    "rte": ("rte", {"fields": {"premise": "premise", "hypothesis": "hypothesis"}}),
    "stsb": ("stsb", {"label": "{{ 'similar' if similarity_score > 3.5 else 'different' }}"}),
}


@pytest.mark.real_data
@pytest.mark.parametrize("folder", REAL)
def test_real_rows_are_drawn_and_worded_in_every_format(folder):
    name, keys = REAL[folder]
    files = {role: DATA / folder / f"{role}.jsonl" for role in ("train", "validation", "test")}
    if not files["test"].is_file():
        pytest.skip(f"there is no {files['test']}; RIPENESS_TEST_DATA names another folder than {DATA.parent}")
    task = load_task(name, TASKS, overrides=keys | {"source": {role: str(path) for role, path in files.items()}})
    rows = {
        str(path): [Row(json.loads(line), f"{path}:{n}") for n, line in enumerate(path.open(encoding="utf-8"), 1)]
        for path in files.values()
    }
    drawn = draw_items(rows, task, sizes={"train": 200, "validation": 100, "test": 200, "shots": 20, "seed": 0})
    assert len(drawn["test"]) == 200
    golds = [item.gold for item in drawn["test"]]
    for format_ in task.formats:
        made = list(examples(drawn["test"], task, format_))
        assert len({row["prompt"] for row in made}) > 100 and all(row["target"].strip() for row in made)
        assert [row["gold"] for row in made] == golds
    if task.kind == "choice":
        places = range(len(task.labels) if task.labels else 3)
        assert all(golds.count(place) > 20 for place in places)
