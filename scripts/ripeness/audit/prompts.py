"""Checks of prompts: as the templates word them, and as the tokenizer of each series reads them (see audit.py)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from transformers import PreTrainedTokenizerBase

from ripeness.audit.items import share, texts_of
from ripeness.measure.prompts import TooLongError, build_prompts, draw_shots, encode_questions
from ripeness.models.token_healing import beginnings
from ripeness.models.tokens import document_start, encode_pairs, unread
from ripeness.runtime.errors import UserError
from ripeness.study.audit_checks import Remark, counted, remark
from ripeness.study.tasks import CHAT, Task

SAMPLE = 50  # items whose prompts are measured with shots; items are drawn in random order, so these are as any
LONGEST = 20  # items of a role that are tried alone
MOSTLY = 0.9  # of a sample, for what is a matter of the template
SHORT = 24  # characters of a prompt that may be one token
UNREAD = 0.01  # of the signs of prompts or answers; a rare one may stand in any text
MIN_CHARACTERS = 3  # of two texts together that are looked for in a prompt as one


@dataclass(frozen=True)
class Wording:
    """A dataset in a format: examples of test and train as rendered, the pool of shots, and the items' fields by id."""

    dataset: str
    format: str
    task: Task
    test: list[dict[str, Any]]
    train: list[dict[str, Any]]
    pool: list[dict[str, Any]]
    fields: dict[str, dict[str, Any]]
    shots: list[int]

    @property
    def where(self) -> str:
        """Dataset and format, for a remark."""
        return f"{self.dataset}, {self.format}"


@dataclass(frozen=True)
class Reader:
    """What reads prompts: the tokenizer and window (tokens) that some series share; `seed` draws the shots.

    `measured` and `trained` are the virtual tokens before prompts of test and train, of the method with most of them.
    """

    series: list[str]
    tokenizer: PreTrainedTokenizerBase
    window: int
    seed: int
    measured: int = 0
    trained: int = 0

    def room(self, role: str) -> int:
        """Return the tokens that a prompt of test or train may have."""
        return self.window - (self.trained if role == "train" else self.measured)

    def size(self, role: str) -> str:
        """Write the window, for a remark."""
        n_virtual = self.window - self.room(role)
        virtual = f", of which {n_virtual:,} are virtual ones of a method" if n_virtual else ""
        return f"{self.window:,} tokens{virtual}"


def is_mostly(flags: list[bool]) -> bool:
    """Return whether something holds for almost all of a sample."""
    return bool(flags) and sum(flags) >= MOSTLY * len(flags)


def constant_prompt(wording: Wording) -> Iterator[Remark]:
    """Find prompts that are all the same, such as those of a template whose field is always empty.

    Of pictures the same may be asked.
    """
    if wording.task.image:
        return
    prompts = {said(row) for row in wording.test}
    if len(wording.test) > 1 and len(prompts) == 1:
        seen = f"all {len(wording.test):,} test prompts are {prompts.pop()[-80:]!r}"
        yield remark("constant-prompt", wording.where, seen)


def said(row: dict[str, Any]) -> str:
    """List the words of a prompt, or of all turns of a chat."""
    return "\n".join(turn["content"] for turn in row["turns"]) if row["turns"] else row["prompt"]


def glued_prompt(wording: Wording) -> Iterator[Remark]:
    """Find prompts that end with a field's own text, where the answer does not continue it.

    Options of an item may be its continuations, and turns of a chat are set apart by the chat template.
    """
    if wording.format == CHAT or wording.task.options:
        return
    sample = wording.test[:SAMPLE]
    ends = [ends_with_field(row["prompt"], wording.fields[row["item"]]) for row in sample]
    if is_mostly(ends):
        tail = sample[0]["prompt"][-40:]
        seen = f"the prompt ends with a field's own text: {tail!r} is followed by {sample[0]['target']!r}"
        yield remark("glued-prompt", wording.where, seen)


def ends_with_field(prompt: str, fields: dict[str, Any]) -> bool:
    """Return whether a prompt ends with the text of a field."""
    texts = [text.strip() for text in texts_of(fields)]
    return any(text and prompt.rstrip().endswith(text) for text in texts)


def glued_fields(wording: Wording) -> Iterator[Remark]:
    """Find texts of fields that touch in the prompt without white space."""
    sample = wording.test[:SAMPLE]
    met = [meeting(row, wording.fields[row["item"]]) for row in sample]
    if is_mostly([text is not None for text in met]):
        yield remark("glued-fields", wording.where, f"fields meet without white space: {next(filter(None, met))!r}")


def meeting(row: dict[str, Any], fields: dict[str, Any]) -> str | None:
    """Find where the texts of two fields touch in a prompt without white space; None where they do not."""
    prompt = said(row)
    for one, other in permutations([text for text in texts_of(fields) if text], 2):
        if len(one + other) < MIN_CHARACTERS or one[-1].isspace() or other[0].isspace():
            continue
        if one + other in prompt:
            return one[-20:] + other[:20]
    return None


def glued_shots(wording: Wording) -> Iterator[Remark]:
    """Find shots with no line end or punctuation between them."""
    separator = wording.task.separator
    if any(wording.shots) and wording.format != CHAT and not separator.strip(" "):
        yield remark("glued-shots", wording.where, f"the separator between examples is {separator!r}")


def trailing_space(wording: Wording) -> Iterator[Remark]:
    """Find prompts that end with a space."""
    sample = wording.test[:SAMPLE]
    if is_mostly([row["prompt"].endswith((" ", "\t")) for row in sample]):
        yield remark("trailing-space", wording.where, f"the prompt ends with {sample[0]['prompt'][-12:]!r}")


def answer_room(wording: Wording) -> int:
    """Compute the tokens that are kept free for a generated answer."""
    return wording.task.max_new_tokens if wording.task.kind == "generation" else 0


def item_too_long(wording: Wording, reader: Reader) -> Iterator[Remark]:
    """Find items that do not fit into the context window without any shots; the longest ones are tried."""
    for role, rows, room in (("test", wording.test, answer_room(wording)), ("train", wording.train, 0)):
        longest = sorted(rows, key=n_characters, reverse=True)[:LONGEST]
        window = reader.room(role) - (role == "train")  # the end-of-text token is learned
        long = [row for row in longest if fitted(reader, [row], [], wording, window, room) is None]
        if long:
            seen = (
                f"{counted(len(long), f'{role} item')} of the {len(longest)} longest do not fit into "
                f"{reader.size(role)}, e.g. {long[0]['item']}; `max_characters` in the task leaves them out"
            )
            yield remark("item-too-long", place(reader, wording), seen)


def n_characters(row: dict[str, Any]) -> int:
    """Count the characters of an example with its longest answer."""
    turns = sum(len(turn["content"]) for turn in row["turns"] or [])
    return max(len(row["prompt"]), turns) + max(map(len, [row["target"], *row["choices"]]))


def place(reader: Reader, wording: Wording) -> str:
    """Write series, dataset and format, for a remark."""
    return f"{', '.join(reader.series)}: {wording.where}"


def fitted(reader: Reader, rows: list[dict], shots: list, wording: Wording, window: int, room: int) -> list[int] | None:
    """Count the shots left out of each prompt so that it fits; None where one does not fit alone.

    UserError for what no window would hold, such as turns that the chat template refuses.
    """
    separator = wording.task.separator
    try:
        prompts = build_prompts(reader.tokenizer, rows, shots, separator=separator, room=window, answer_room=room)
    except TooLongError:
        return None
    return [prompt.n_dropped for prompt in prompts]


def context_overflow(wording: Wording, reader: Reader) -> Iterator[Remark]:
    """Find prompts with shots that do not fit into the context window, in a sample of items."""
    sample, window, room = wording.test[:SAMPLE], reader.room("test"), answer_room(wording)
    for n_shots in wording.shots:
        if not n_shots or n_shots > len(wording.pool):
            continue
        shots = draw_shots(wording.pool, n_shots, seed=reader.seed)
        dropped = fitted(reader, sample, shots, wording, window, room)
        if dropped is None:  # one that does not fit alone says so itself
            one_by_one = [fitted(reader, [row], shots, wording, window, room) for row in sample]
            dropped = [found[0] if found else n_shots for found in one_by_one]
        if n := sum(map(bool, dropped)):
            seen = (
                f"with {n_shots} shots {share(n, len(sample))} prompts outgrow {reader.size('test')} and lose "
                f"{sum(dropped) / n:.1f} shots each (the first {len(sample)} of {len(wording.test):,} test items)"
            )
            yield remark("context-overflow", place(reader, wording), seen)


def shared_first_token(wording: Wording, reader: Reader) -> Iterator[Remark]:
    """Find label words that begin with the same token."""
    if not wording.task.labels or not wording.test:
        return
    row = wording.test[0]
    (prompt,) = encode_questions(reader.tokenizer, [], [row], wording.task.separator)
    first: dict[int, list[str]] = {}
    for choice, tokens in zip(row["choices"], prompt.answers, strict=True):
        first.setdefault(tokens[0], []).append(choice)
    for alike in first.values():
        if len(alike) > 1:
            seen = f"{', '.join(map(repr, alike))} begin with the same token"
            yield remark("shared-first-token", place(reader, wording), seen)


def merged_prompt(wording: Wording, reader: Reader) -> Iterator[Remark]:
    """Find short prompts that merge whole with the beginning of some answers and not of others.

    Where a tokenizer puts nothing before a document, the end-of-text token is then read before the former only.
    """
    tokenizer, rows = reader.tokenizer, [*wording.test, *wording.train]
    if (wording.format == CHAT and tokenizer.chat_template) or document_start(tokenizer):
        return
    begun = beginnings(answer for row in rows for answer in row["choices"] or [row["target"]])[:SAMPLE]
    short = list(dict.fromkeys(row["prompt"] for row in rows if len(row["prompt"]) <= SHORT))[:SAMPLE]
    merged = [prompt for prompt in short if len({context == [] for context, _ in pairs_of(reader, prompt, begun)}) > 1]
    if merged:
        seen = (
            f"{counted(len(merged), 'prompt')} such as {merged[0]!r} and the beginning of some answers are one token; "
            "begin every prompt with a word, such as Text:"
        )
        yield remark("merged-prompt", place(reader, wording), seen)


def pairs_of(reader: Reader, prompt: str, begun: tuple[str, ...]) -> list[tuple[list[int], list[int]]]:
    """Tokenize a prompt with each beginning of an answer; nothing where the tokenizer has no token for one."""
    try:
        return encode_pairs(reader.tokenizer, [(prompt, answer) for answer in begun])
    except UserError:
        return []


def unread_signs(wording: Wording, reader: Reader) -> Iterator[Remark]:
    """Find prompts or answers of which the tokenizer does not know more than a few signs."""
    rows = wording.test[:SAMPLE]
    answers = [answer for row in rows for answer in row["choices"] or [row["target"]]]
    for noun, texts in (("prompts", list(map(said, rows))), ("answers", list(dict.fromkeys(answers)))):
        lost, n = "".join(unread(reader.tokenizer, texts)), sum(len("".join(text.split())) for text in texts)
        if len(lost) > UNREAD * n:
            some = ", ".join(map(repr, dict.fromkeys(lost[:SHORT])))
            seen = f"the tokenizer does not know {share(len(lost), n)} signs of {noun}, such as {some}"
            yield remark("unread-signs", place(reader, wording), seen)


PROMPT_CHECKS: dict[str, Callable[[Wording], Iterator[Remark]]] = {
    "constant-prompt": constant_prompt,
    "glued-prompt": glued_prompt,
    "glued-fields": glued_fields,
    "glued-shots": glued_shots,
    "trailing-space": trailing_space,
}
READING_CHECKS: dict[str, Callable[[Wording, Reader], Iterator[Remark]]] = {
    "item-too-long": item_too_long,
    "context-overflow": context_overflow,
    "shared-first-token": shared_first_token,
    "merged-prompt": merged_prompt,
    "unread-signs": unread_signs,
}
