"""Put examples before a question, as many as fit, and turn it into tokens."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from os.path import commonprefix

from transformers import PreTrainedTokenizerBase

from ripeness.data.spacing import glued
from ripeness.models.chat import Turns, chat_contexts, chat_prompt, encode_chats
from ripeness.models.token_healing import Start, beginnings, starts
from ripeness.models.tokens import contexts_of, encode, encode_pairs
from ripeness.runtime.errors import UserError

SEPARATOR = "\n\n"  # between examples, where a task says nothing else


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model reads it. `context` and `answers` are tokens; `n_dropped` counts shots left out.

    There are no answers where the model writes its own; there `start` says where, see ripeness.models.token_healing.
    """

    context: list[int]
    answers: list[list[int]]
    n_dropped: int
    start: Start | None = None


class TooLongError(UserError):
    """A question that does not fit into the context even without shots."""


Shot = str | Turns  # an example with its answer, as text or as turns


def draw_shots(pool: list[dict], n: int, *, seed: int) -> list[Shot]:
    """Draw `n` examples of the pool with their answers, by seed: the same for every item, format and checkpoint."""
    if n > len(pool):
        raise UserError(
            f"{n} shots requested, but the pool has only {len(pool)}\nhint: raise `items.shots` in the study"
        )
    chosen = random.Random(seed).sample(range(len(pool)), n)
    return [answered(pool[i]) for i in chosen]


def answered(example: dict) -> Shot:
    """Join an example and its answer."""
    if example.get("turns"):
        return [*example["turns"], {"role": "assistant", "content": example["target"]}]
    return example["prompt"] + example["target"]


def build_prompts(
    tokenizer: PreTrainedTokenizerBase,
    examples: list[dict],
    shots: list[Shot],
    *,
    separator: str,
    room: int,
    answer_room: int = 0,
    begun: tuple[str, ...] | None = None,
) -> list[Prompt]:
    """Tokenize every example after its shots, each in at most `room` tokens with its longest answer.

    Whole shots are left out, the first ones first, until it fits; a question that does not fit alone is a TooLongError.
    `answer_room` is kept free for text that is still to be generated. `begun` says how answers begin, if not as those
    of the examples do.
    """
    prompts: dict[int, Prompt] = {}
    encode_rows: Callable[..., list[Prompt]] = encode_questions
    if answer_room:
        begun = beginnings(example["target"] for example in examples) if begun is None else begun
        encode_rows = partial(encode_open, begun=begun)
    for n_dropped in range(len(shots) + 1):
        waiting = [index for index in range(len(examples)) if index not in prompts]
        rows = [examples[index] for index in waiting]
        for index, prompt in zip(waiting, encode_rows(tokenizer, shots[n_dropped:], rows, separator), strict=True):
            n_tokens = len(prompt.context)
            needed = answer_room + prompt.start.n_again if prompt.start else max(map(len, prompt.answers))
            if n_tokens + needed <= room:
                prompts[index] = replace(prompt, n_dropped=n_dropped)
            elif n_dropped == len(shots):
                raise too_long(examples[index], n_tokens=n_tokens, needed=needed, room=room)
    return [prompts[index] for index in range(len(examples))]


def target_prompts(
    tokenizer: PreTrainedTokenizerBase,
    examples: list[dict],
    shots: list[Shot],
    prompts: list[Prompt],
    *,
    separator: str,
    room: int,
) -> list[Prompt | None]:
    """Tokenize every open question with its right answer, after the shots that its prompt has.

    The answer's tokens are those that training learns after the same prompt, the end of text left out. None where there
    are no such tokens, or question and answer do not fit into `room` tokens.
    """
    found: list[Prompt | None] = [None] * len(examples)
    for n_dropped in {prompt.n_dropped for prompt in prompts}:
        places = [place for place, prompt in enumerate(prompts) if prompt.n_dropped == n_dropped]
        rows = [examples[place] for place in places]
        encoded = encode_questions(tokenizer, shots[n_dropped:], rows, separator)
        for place, prompt in zip(places, encoded, strict=True):
            if prompt.answers[0] and len(prompt.context) + len(prompt.answers[0]) <= room:
                found[place] = replace(prompt, n_dropped=n_dropped)
    return found


def unconditional_prompts(
    tokenizer: PreTrainedTokenizerBase, examples: list[dict], asked: str, *, room: int
) -> dict[str, Prompt]:
    """Tokenize every option of the examples, once, after the same few words, such as `Answer:`."""
    turns = [{"role": "user", "content": asked}] if examples and examples[0].get("turns") else []
    options = list(dict.fromkeys(option for example in examples for option in example["choices"]))
    rows = [
        {"item": option, "prompt": asked, "turns": turns, "choices": [option if turns else glued(asked, option)]}
        for option in options
    ]
    return dict(zip(options, build_prompts(tokenizer, rows, [], separator="", room=room), strict=True))


def turns_of(shots: list[Shot]) -> Turns:
    """Join the turns of shots for a chat; UserError for shots that are prompts."""
    if any(isinstance(shot, str) for shot in shots):
        raise UserError("the questions are chats, but the shots are prompts\nhint: give shots with `turns`")
    return [turn for shot in shots if not isinstance(shot, str) for turn in shot]


def text_of(shots: list[Shot], separator: str) -> str:
    """Join the texts of shots, a separator after each; UserError for shots that are chats."""
    if not all(isinstance(shot, str) for shot in shots):
        raise UserError("the questions are prompts, but the shots are chats\nhint: give shots with `prompt`")
    return "".join(shot + separator for shot in shots if isinstance(shot, str))


def encode_questions(
    tokenizer: PreTrainedTokenizerBase, shots: list[Shot], examples: list[dict], separator: str
) -> list[Prompt]:
    """Tokenize every question after the shots, with its answers.

    Shots of a chat are turns before the question's, so that the chat template sets them apart and no separator does.
    """
    if not examples:
        return []
    if examples[0].get("turns"):
        before = turns_of(shots)
        chats = [([*before, *example["turns"]], answers_of(example)) for example in examples]
        met = [meet(pairs) for pairs in encode_chats(tokenizer, chats)]
        contexts = chat_contexts(tokenizer, [context for context, _ in met])
    else:
        head = text_of(shots, separator)
        met = [meet(pairs) for pairs in encode_options(tokenizer, head, examples)]
        contexts = contexts_of(tokenizer, [context for context, _ in met])
    return [Prompt(context, answers, 0) for context, (_, answers) in zip(contexts, met, strict=True)]


def encode_open(
    tokenizer: PreTrainedTokenizerBase,
    shots: list[Shot],
    examples: list[dict],
    separator: str,
    *,
    begun: tuple[str, ...],
) -> list[Prompt]:
    """Tokenize every question after the shots, up to where the model generates; all answers begin as in `begun`."""
    if not examples:
        return []
    is_chat = bool(examples[0].get("turns"))
    if is_chat:
        before = turns_of(shots)
        texts = [chat_prompt(tokenizer, [*before, *example["turns"]]) for example in examples]
    else:
        head = text_of(shots, separator)
        texts = [head + example["prompt"] for example in examples]
    found = starts(tokenizer, texts, begun)
    contexts = (chat_contexts if is_chat else contexts_of)(tokenizer, [start.context for start in found])
    found = [replace(start, context=context) for context, start in zip(contexts, found, strict=True)]
    return [Prompt(start.context, [], 0, start) for start in found]


def meet(pairs: list[tuple[list[int], list[int]]]) -> tuple[list[int], list[list[int]]]:
    """Find the common context of all answers to a question, and the tokens of each answer after it.

    A token in which the prompt and one answer meet is scored for all answers, so that every option has the probability
    of its whole text.
    """
    contexts = [context for context, _ in pairs]
    n = len(commonprefix(contexts))
    return contexts[0][:n], [context[n:] + answer for context, answer in pairs]


def encode_options(
    tokenizer: PreTrainedTokenizerBase, head: str, examples: list[dict]
) -> list[list[tuple[list[int], list[int]]]]:
    """Tokenize every question after a head of shots, and each of its answers, as `encode_pairs` does.

    Heads are long and options many. Where a head ends a line, and questions have the same tokens after it as alone,
    what follows a question has too, so that the head is not turned into tokens again for every option.
    """
    options = [answers_of(example) for example in examples]
    asked = [(row["prompt"], answer) for row, answers in zip(examples, options, strict=True) for answer in answers]
    pairs = encode_pairs(tokenizer, asked)
    if head.endswith("\n") and cuts_words(tokenizer):  # digits of a number are grouped from its end by some
        questions = [question for question, _ in asked]
        wholes, alones = encode(tokenizer, [head + question for question in questions]), encode(tokenizer, questions)
        if all(map(goes_on, wholes, alones, pairs)):
            heads = [whole[: -len(alone)] for whole, alone in zip(wholes, alones, strict=True)]
            pairs = [(before + context, answer) for before, (context, answer) in zip(heads, pairs, strict=True)]
        else:
            pairs = encode_pairs(tokenizer, [(head + question, answer) for question, answer in asked])
    elif head:
        pairs = encode_pairs(tokenizer, [(head + question, answer) for question, answer in asked])
    encoded = iter(pairs)
    return [[next(encoded) for _ in answers] for answers in options]


def cuts_words(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether text is split into words before it is split into tokens, so that none spans words or lines."""
    words = tokenizer.backend_tokenizer.pre_tokenizer
    return words is not None and len(words.pre_tokenize_str("a b\n\nc d")) > 2


def goes_on(whole: list[int], alone: list[int], pair: tuple[list[int], list[int]]) -> bool:
    """Return whether a question has the same tokens after a head as alone, and the same first one before an answer."""
    return bool(alone) and whole[-len(alone) :] == alone and pair[0][:1] == alone[:1]


def answers_of(example: dict) -> list[str]:
    """List the answers that are scored: every option, or the target of an open question."""
    answers = example["choices"] or [example["target"]]
    if example["choices"] and not all(map(str.strip, answers)):
        raise UserError(f"item {example['item']!r} has an empty option: {answers}\nhint: fix or leave out the row")
    return answers


def too_long(example: dict, *, n_tokens: int, needed: int, room: int) -> TooLongError:
    """Make the error for a question that does not fit even without shots."""
    return TooLongError(
        f"item {example['item']!r} has {n_tokens} tokens and needs {needed} for its answer; the model reads {room}\n"
        "hint: leave long items out with `max_characters` in the task file or under `datasets` in the study"
    )
