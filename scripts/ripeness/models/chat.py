"""The format `chat`: turns of a conversation as text and tokens, by the tokenizer's chat template or a plain one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from ripeness.models.tokens import contexts_of, encode, encode_pairs
from ripeness.runtime.errors import UserError

Turns = list[dict[str, str]]  # {role, content} each, as chat templates take them

# Where a tokenizer has no chat template, as most models have none that were only pre-trained.
PLAIN = (
    "{% for turn in messages %}{{ turn.role | capitalize }}: {{ turn.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
# Some templates write the date (Llama 3.1 and later), and a prompt must not change from one day to the next. Names of
# strftime and what stands for them: a day of July 2024, which the template of Llama 3.2 takes where it has no clock.
DAY = datetime(2024, 7, 26, 12)
NAMES = [f"%{letter}" for letter in "aAbBcCdDeFgGhHIjmMprRSTuUVwWxXyY"] + [f"%-{letter}" for letter in "dejmyHIMS"]
CLOCK = (
    "{%- macro strftime_now(format) -%}{{ format"
    + "".join(f"|replace('{name}', '{DAY.strftime(name)}')" for name in NAMES)
    + " }}{%- endmacro -%}"
)
SECONDS = 10  # of the processor's time for one conversation; real templates take milliseconds
BLANK = " \t\r\n\u2581"
THOUGHT = "</think>"  # ends what templates leave out of former answers
ANSWER, NEXT = "@answer@", "@next@"  # stand for an answer and for the turn after it


@dataclass(frozen=True)
class TurnEnd:
    """What ends an answer in a chat: a token of the template's, and the text that the template writes after the answer.

    The text is that before the token, empty for most; without a token, that before the next turn.
    """

    token: int | None
    text: str


def template_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return which template renders a chat: "tokenizer", its own, or "plain", lines `User: ...`, `Assistant: ...`."""
    return "tokenizer" if tokenizer.chat_template else "plain"


@contextmanager
def in_time() -> Iterator[None]:
    """End what takes more than SECONDS of the processor's time, such as a template with loops over all characters."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return

    def stop(*_: object) -> None:
        raise UserError(
            f"the chat template of the tokenizer needs more than {SECONDS} s for one conversation\n"
            "hint: leave out the format `chat`, or fix `chat_template`"
        )

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def chat_text(tokenizer: PreTrainedTokenizerBase, turns: Turns) -> str:
    """Render finished turns as text. UserError for turns that the template rejects, such as a system turn."""
    try:
        template = tokenizer.get_chat_template() if tokenizer.chat_template else PLAIN
        template = CLOCK + template if "strftime_now" in template else template
        with in_time():
            return tokenizer.apply_chat_template(turns, chat_template=template, tokenize=False)
    except (TemplateError, LookupError, TypeError, ValueError) as error:
        roles = ", ".join(turn["role"] for turn in turns)
        raise UserError(
            f"the chat template of the tokenizer refuses turns of {roles}: {error}\n"
            "hint: leave out the format `chat`, or write turns that the model knows"
        ) from None


def chat_prompt(tokenizer: PreTrainedTokenizerBase, turns: Turns) -> str:
    """Render turns as text, up to where the template puts the assistant's answer.

    Whatever a template writes before an answer is part of the prompt: the name of the role, a space, an empty block of
    thoughts. The text is that of a finished conversation, so that no template needs a prompt for generation.
    """
    mark = ANSWER
    while any(mark in turn["content"] for turn in turns):
        mark = f"@{mark}"
    before, answer, _ = chat_text(tokenizer, [*turns, {"role": "assistant", "content": mark}]).rpartition(mark)
    if not answer:
        raise UserError(
            "the chat template of the tokenizer does not write the assistant's answer as it is\n"
            "hint: leave out the format `chat`, or fix `chat_template`"
        )
    if mark in before or depends_on_answer(tokenizer, tokenizer.chat_template or PLAIN):
        raise UserError(
            "the chat template of the tokenizer writes something of the assistant's answer before the answer\n"
            "hint: leave out the format `chat`, or fix `chat_template`"
        )
    written = spaced(before)
    if lost := [turn for turn in turns if spaced(turn["content"].rpartition(THOUGHT)[2]) not in written]:
        raise UserError(
            f"the chat template of the tokenizer leaves out or changes the {lost[0]['role']} turn "
            f"{lost[0]['content'][:60]!r}\n"
            "hint: leave out the format `chat`, or write turns that the model knows; many models have no system turn"
        )
    return before


@lru_cache(maxsize=16)
def depends_on_answer(tokenizer: PreTrainedTokenizerBase, template: str | dict[str, str]) -> bool:
    """Return whether what stands before an answer is other text for another answer: its length, for example."""
    answers = (ANSWER, "so, and more, " * 30 + ANSWER)
    chats = ([{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}] for answer in answers)
    first, other = (
        chat_text(tokenizer, chat).rpartition(answer)[0] for chat, answer in zip(chats, answers, strict=True)
    )
    return first != other


def spaced(text: str) -> str:
    """Write a text with single spaces, since templates trim turns."""
    return " ".join(text.split())


def turn_end(tokenizer: PreTrainedTokenizerBase) -> TurnEnd:
    """Find what the template puts after an answer, up to its first special token, or else before the next turn."""
    asked = [{"role": "user", "content": "?"}, {"role": "assistant", "content": ANSWER}]
    after = chat_text(tokenizer, asked).rpartition(ANSWER)[2]
    added = tokenizer.added_tokens_decoder
    # some tokenizers have line ends and spaces among their added tokens, which end nothing
    ends = {token for token, content in added.items() if content.content.strip(BLANK)}
    if tokens := [token for token in encode(tokenizer, [after])[0] if token in ends]:
        return TurnEnd(tokens[0], after.partition(added[tokens[0]].content)[0].strip())
    try:
        whole = chat_text(tokenizer, [*asked, {"role": "user", "content": NEXT}])
    except UserError:  # of one question only
        return TurnEnd(None, after.rstrip())
    between = whole.rpartition(ANSWER)[2].partition(NEXT)[0]
    first = next((added[token].content for token in encode(tokenizer, [between])[0] if token in ends), None)
    return TurnEnd(None, between.partition(first)[0] + first if first else between.rstrip())


def encode_chats(
    tokenizer: PreTrainedTokenizerBase, chats: list[tuple[Turns, list[str]]]
) -> list[list[tuple[list[int], list[int]]]]:
    """Tokenize the turns of every chat, and each answer after them, split as `encode_pairs` does."""
    texts = [chat_prompt(tokenizer, turns) for turns, _ in chats]
    pairs = [(text, answer) for text, (_, answers) in zip(texts, chats, strict=True) for answer in answers]
    encoded = iter(encode_pairs(tokenizer, pairs))
    return [[next(encoded) for _ in answers] for _, answers in chats]


def chat_contexts(tokenizer: PreTrainedTokenizerBase, prompts: list[list[int]]) -> list[list[int]]:
    """Complete the tokens before each answer in a chat; the tokenizer's own template starts the document."""
    if not tokenizer.chat_template:
        return contexts_of(tokenizer, prompts)
    return [tokens or contexts_of(tokenizer, [[]])[0] for tokens in prompts]
