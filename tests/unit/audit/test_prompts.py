"""Checks of prompts: each on a wording that raises it, and on one that nearly does."""

import copy
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from ripeness.audit.prompts import PROMPT_CHECKS, READING_CHECKS, SAMPLE, Reader, Wording
from ripeness.data.examples import examples
from ripeness.data.items import Item
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
CHECKS = PROMPT_CHECKS | READING_CHECKS
LABELS = {"same": " yes", "different": " no"}


def questions(n, times=1):
    return {"first": f"the cat {n} sat" + " far" * times, "second": f"what the dog {n} is"}


def wording(template=None, *, name="qqp", format_="default", n=60, times=1, shots=(0, 4), **change):
    """A dataset as a template words it; `times` makes its texts longer."""
    task = load_task(name, ROOT / "tasks", overrides=change | ({"formats": {format_: template}} if template else {}))
    items = []
    for number in range(n):
        texts = list(questions(number, times).values())
        fields = {field: texts[place % len(texts)] for place, field in enumerate(task.fields)}
        own = {} if task.labels else {"options": ["the mat", "a dog"]}
        choices = list(task.labels) if task.labels else own.get("options", []) if task.kind == "choice" else []
        gold = number % 2 if choices else -1
        target = choices[gold] if choices else "the cat ran away"
        items.append(Item(f"q:{number}", f"q:{number}", fields | own, choices, gold, target, []))
    rows = list(examples(items, task, format_))
    fields = {item.id: item.fields for item in items}
    return Wording(name, format_, task, rows, rows[:10], rows[:8], fields, list(shots))


@pytest.fixture(scope="module")
def read(tokenizer):
    """Give a function that asks one check about a wording, read in a window of some tokens."""

    def ask(check, made, window=400, measured=0, trained=0):
        if check in PROMPT_CHECKS:
            return list(PROMPT_CHECKS[check](made))
        reads = letters() if check == "unread-signs" else tokenizer
        return list(READING_CHECKS[check](made, Reader(["a", "b"], reads, window, 1, measured, trained)))

    return ask


def short(prompt, *choices):
    """A dataset of one short prompt, whose answers follow without a space."""
    made = wording()
    choices = [*choices, " no"][:2]
    rows = [row | {"prompt": prompt, "choices": choices, "target": choices[0]} for row in made.test]
    return replace(made, test=rows, train=rows[:10])


def foreign(prompt, answer="yes"):
    """A dataset of one text, for a tokenizer of ASCII letters alone."""
    made = wording()
    return replace(made, test=[made.test[0] | {"prompt": prompt, "choices": [], "target": answer}])


def letters():
    """Make a tokenizer of ASCII letters, which leaves out all others."""
    backend = Tokenizer(models.BPE({"</s>": 0} | {sign: 1 + n for n, sign in enumerate(ascii_lowercase + " ")}, []))
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")


QUESTION = "Input_1: {{ first }}\nInput_2: {{ second }}\nSame: "
# check -> (a wording that raises it, words of the remark, one that nearly does)
CASES = {
    "constant-prompt": [
        (
            lambda: wording("{{ first[:3] }} ? Same:"),
            "all 60 test prompts are 'the ? Same:'",
            lambda: wording("{{ first }} ? Same:"),
        ),
        (
            lambda: wording("{% if not second %}{{ first }}{% endif %}Same?", format_="chat"),
            "all 60 test prompts are 'Same?'",
            lambda: wording("{% if '7' in first %}seven{% endif %}Same?", format_="chat"),
        ),
        (lambda: wording("{{ first[:3] }}", n=2), "all 2 test prompts", lambda: wording("{{ first[:3] }}", n=1)),
    ],
    "glued-prompt": [
        # the format `io` as published by Amuro and Char (arXiv 2408.06663)
        (
            lambda: wording("{{ first }} {{ second }}"),
            "what the dog 0 is' is followed by ' yes'",
            lambda: wording("{{ first }} {{ second }}\n=>"),
        ),
        (
            lambda: wording("{{ document }}\n", name="xsum"),
            "is followed by 'the cat ran away'",
            lambda: wording("{{ document }}", name="xsum", format_="chat"),
        ),
        # options may go on with the text
        (lambda: wording("{{ second }}? {{ first }}"), "' yes'", lambda: wording("{{ question }}", name="arc-easy")),
    ],
    "glued-fields": [
        (
            lambda: wording("{{ first }}{{ second }}\nSame:"),
            "'the cat 0 sat farwhat the dog 0 is'",
            lambda: wording("{{ first }}\n{{ second }}\nSame:"),
        ),
        (lambda: wording("{{ second }}{{ first }}", format_="chat"), "is", lambda: wording("{{ first }} {{ second }}")),
    ],
    "glued-shots": [
        (lambda: wording(separator=" "), "' '", lambda: wording(separator="\n")),
        (lambda: wording(separator=""), "''", lambda: wording(separator="", shots=[0])),
    ],
    "trailing-space": [(lambda: wording(QUESTION), "Same: '", lambda: wording(QUESTION.rstrip()))],
    "item-too-long": [
        (lambda: wording(QUESTION, times=400), "20 test items of the 20 longest", lambda: wording(QUESTION, times=300)),
    ],
    "context-overflow": [
        (
            lambda: wording(QUESTION, times=80),
            f"with 4 shots {SAMPLE} of {SAMPLE} (100%) prompts outgrow 400 tokens and lose 2.0 shots each "
            f"(the first {SAMPLE} of 60 test items)",
            lambda: wording(QUESTION, times=80, shots=[0, 1]),
        ),
        (lambda: wording(QUESTION, times=400), "lose 4.0 shots", lambda: wording(QUESTION, times=10)),
    ],
    "merged-prompt": [
        (lambda: short("t", "he"), "1 prompt such as 't' and the beginning of some answers", lambda: short("t", " he")),
        (lambda: short("t", "he"), "begin every prompt with a word", lambda: short("Text: t", "he")),
        (lambda: short("t", "he"), "are one token", lambda: short("t", "he", "he cat")),  # before both
    ],
    "unread-signs": [
        (lambda: foreign("日本の猫"), "does not know 4 of 4 (100%) signs of prompts", lambda: foreign("the cat")),
        (lambda: foreign("the cat", "日本"), "signs of answers, such as '日', '本'", lambda: foreign("a" * 200 + "日")),
    ],
    "shared-first-token": [
        (
            lambda: wording(labels={"same": " yes it is", "different": " yes and no"}),
            "' yes it is', ' yes and no' begin with the same token",
            lambda: wording(),
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_sees_what_it_should_and_not_what_is_nearly_so(check, read):
    for raising, words, near in CASES[check]:
        found = read(check, raising())
        assert found and words in found[0].seen, found
        assert found[0].check == check and "default" in found[0].where or "chat" in found[0].where
        assert len({row.where for row in found}) == 1
        assert read(check, near()) == []


def test_a_generated_answer_keeps_its_room_in_the_window(read):
    made = wording("{{ document }}\nSummary:", name="xsum", times=320)
    assert read("item-too-long", made) == []
    (found,) = read("item-too-long", wording("{{ document }}\nSummary:", name="xsum", times=340))
    assert "test" in found.seen  # of training, which knows the answer, all fit


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "tasks").glob("*.yaml")))
def test_no_template_that_is_shipped_is_glued(name, read):
    for format_ in load_task(name, ROOT / "tasks", overrides={}).formats:
        if "turns" not in load_task(name, ROOT / "tasks", overrides={}).fields:  # those are the row's own
            made = wording(name=name, format_=format_, n=3)
            seen = [row for check in PROMPT_CHECKS for row in read(check, made)]
            assert seen == []


def test_what_no_window_would_hold_is_not_called_too_long(tokenizer):
    """An answer without a token, or turns that a template refuses, end the audit with their own words."""
    refusing = copy.deepcopy(tokenizer)
    refusing.chat_template = "{{ raise_exception('no turns') }}"
    empty = short("Text:", " yes", " ")
    chat = wording(format_="chat")
    for made, reader, said in ((empty, tokenizer, "has an empty option"), (chat, refusing, "refuses turns of user")):
        for check in ("item-too-long", "context-overflow"):
            with pytest.raises(UserError, match=said):
                list(READING_CHECKS[check](made, Reader(["a"], reader, 400, seed=1)))


def test_virtual_tokens_of_a_method_take_room_of_the_window(read):
    made = wording(QUESTION, times=300)
    assert read("item-too-long", made) == [] and read("item-too-long", made, measured=10, trained=10) == []
    for role, other in (("test", {"measured": 110}), ("train", {"trained": 110})):
        (found,) = read("item-too-long", made, **other)
        assert f" {role} items of the" in found.seen
        assert "do not fit into 400 tokens, of which 110 are virtual ones of a method, e.g. q:" in found.seen
    (found,) = read("context-overflow", wording(QUESTION, times=10), measured=200)
    assert "prompts outgrow 400 tokens, of which 200 are virtual ones of a method and lose" in found.seen
