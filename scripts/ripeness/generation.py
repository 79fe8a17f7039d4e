"""Greedy text after a prompt, many prompts at once, up to a stop text; and how well the right answer was expected."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.attention import SIMILAR_ASKED, causal_groups, row_logits, similar
from ripeness.likelihood import Request, by_length, log_likelihoods
from ripeness.memory import Memory
from ripeness.models import end_of_text
from ripeness.narrowing import ask
from ripeness.options import summed_logps
from ripeness.packing import keeps_exactly, narrows_exactly, packing
from ripeness.padding import write_texts
from ripeness.prefix import keys_and_values, shared_prefix

SHRINK_AT = 0.8  # texts that have ended make room when no more than this share still goes on
# Texts are written side by side as long as their tokens are no more than this many times those of a batch: a step reads
# all weights, so that one for many texts costs little more than one for few.
KEPT = 4


@dataclass(frozen=True)
class Stopping:
    """When an answer ends: after this many tokens, at the end-of-text token, or before this text."""

    max_new_tokens: int
    text: str


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    contexts: list[list[int]],
    stopping: Stopping,
    *,
    batch_tokens: int,
) -> list[str]:
    """The greedy continuation of every context, cut before the stop text and stripped of white space."""
    nothing: list[list[int]] = [[] for _ in contexts]
    return [text for text, _ in answer(model, tokenizer, contexts, nothing, stopping, batch_tokens=batch_tokens)]


@torch.inference_mode()
def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    contexts: list[list[int]],
    targets: list[list[int]],
    stopping: Stopping,
    *,
    batch_tokens: int,
) -> list[tuple[str, float]]:
    """What `generate` gives, and the summed log-probability (nats) of the target's tokens after every context.

    What all contexts begin with is read once. Prompts are read in batches of `batch_tokens`, the longest first, and
    KEPT times as many tokens are kept at once; a text that has ended makes room for the next. A
    target is read with its prompt.
    """
    if not contexts:
        return []
    end, ends = end_of_text(tokenizer), answer_ends(tokenizer, stopping)
    written, logps = write(model, contexts, targets, stopping.max_new_tokens, ends, batch_tokens)
    texts = [tokens[: tokens.index(end)] if end in tokens else tokens for tokens in written]
    return [(answer_text(tokenizer, tokens, stopping.text), logp) for tokens, logp in zip(texts, logps, strict=True)]


def write(
    model: PreTrainedModel,
    contexts: list[list[int]],
    targets: list[list[int]],
    max_new_tokens: int,
    ends: Callable[[list[int]], bool],
    batch_tokens: int,
) -> tuple[list[list[int]], list[float]]:
    """New tokens after every context until it `ends`, and the summed log-probability (nats) of every target."""
    longest = max(map(len, contexts)) + max(max_new_tokens, *map(len, targets))
    way = write_packed if keeps_exactly(model, longest) else write_plainly
    return way(model, contexts, targets, max_new_tokens, ends, batch_tokens)


def write_packed(
    model: PreTrainedModel,
    contexts: list[list[int]],
    targets: list[list[int]],
    max_new_tokens: int,
    ends: Callable[[list[int]], bool],
    batch_tokens: int,
) -> tuple[list[list[int]], list[float]]:
    """New tokens after every context, and the targets' log-probabilities, of a model that can pack and go on."""
    prefix = shared_prefix(contexts)
    rests = [context[len(prefix) :] for context in contexts]
    room = max(map(len, rests)) + max(max_new_tokens, *map(len, targets))
    n_places = min(len(contexts), max(1, KEPT * batch_tokens // room))
    lengths = [len(rest) + len(target) for rest, target in zip(rests, targets, strict=True)]
    waiting = sorted(range(len(contexts)), key=lambda index: lengths[index])  # taken from the end
    written: list[list[int]] = [[] for _ in contexts]
    logps = [0.0] * len(contexts)
    rows: list[int] = []  # which text is where in the memory
    is_open = [True] * len(contexts)
    with packing(model, len(prefix) + room):
        memory = Memory(n_places, room, keys_and_values(model, prefix))
        while rows or waiting:
            n_read = max(1, batch_tokens // lengths[waiting[-1]]) if waiting else 0
            new = [waiting.pop() for _ in range(min(n_places - len(rows), len(waiting), n_read))]
            if new:
                asked = [(rests[index], targets[index]) for index in new]
                best, found = read(model, asked, memory, len(rows), len(prefix))
                for index, logp in zip(new, found, strict=True):
                    logps[index] = logp
                rows += new
            else:  # a text that has ended writes its last token again, which nobody looks at
                so_far = [len(rests[index]) + len(written[index]) - 1 for index in rows]
                best = step(model, [written[index][-1] for index in rows], so_far, memory, len(prefix))
            for index, token in zip(new or rows, best, strict=True):
                if is_open[index]:
                    written[index].append(token)
                    is_open[index] = len(written[index]) < max_new_tokens and not ends(written[index])
            kept = [place for place, index in enumerate(rows) if is_open[index]]
            if len(kept) <= SHRINK_AT * len(rows):
                memory.keep(kept)
                rows = [rows[place] for place in kept]
    return written, logps


def read(
    model: PreTrainedModel, asked: list[tuple[list[int], list[int]]], memory: Memory, first: int, n_prefix: int
) -> tuple[list[int], list[float]]:
    """The first new token of every text, whose prompts the memory gets from number `first` on; and log-probabilities.

    A text is a prompt with a target, which may be empty. The memory gets the targets too, but no text grows from them:
    what is written takes their places.
    """
    texts = [rest + target[:-1] for rest, target in asked]  # the last token is predicted and not read
    lengths = [len(text) for text in texts]
    memory.read(first, lengths, model.device)
    tokens = [token for text in texts for token in text]
    positions = [n_prefix + place for length in lengths for place in range(length)]
    wanted, firsts, scored, start = [], [], [], 0  # places in the row; rows of logits; (row of logits, token, text)
    for text, (rest, target) in enumerate(asked):
        firsts.append(len(wanted))
        scored += [(len(wanted) + number, token, text) for number, token in enumerate(target)]
        wanted += range(start + len(rest) - 1, start + lengths[text])
        start += lengths[text]
    places, groups = torch.tensor(wanted, device=model.device), causal_groups(lengths, model.device, n_prefix)
    parts = list(similar(lengths, SIMILAR_ASKED))
    only = ask(lengths, places, parts, n_prefix=n_prefix) if narrows_exactly(model) else None
    logits = row_logits(model, tokens, positions, places, groups, memory.prefix, memory, asked=only)  # (N, V)
    return logits[firsts].argmax(-1).tolist(), summed_logps(logits, scored, len(texts))


def step(model: PreTrainedModel, tokens: list[int], lengths: list[int], memory: Memory, n_prefix: int) -> list[int]:
    """The next token of every text, given its newest one and how many the memory holds before that."""
    memory.step(lengths, model.device)
    positions, all_of_them = [n_prefix + length for length in lengths], torch.arange(len(tokens), device=model.device)
    return row_logits(model, tokens, positions, all_of_them, [], memory=memory).argmax(-1).tolist()


def write_plainly(
    model: PreTrainedModel,
    contexts: list[list[int]],
    targets: list[list[int]],
    max_new_tokens: int,
    ends: Callable[[list[int]], bool],
    batch_tokens: int,
) -> tuple[list[list[int]], list[float]]:
    """The same by `generate` of transformers, for models with attention of another kind, or with none."""
    requests = [Request(context, target) for context, target in zip(contexts, targets, strict=True) if target]
    scores = iter(log_likelihoods(model, requests, batch_tokens=batch_tokens))
    logps = [sum(next(scores)) if target else 0.0 for target in targets]
    batches = by_length([len(context) + max_new_tokens for context in contexts], batch_tokens)
    return write_texts(model, contexts, list(batches), max_new_tokens, ends), logps


def answer_ends(tokenizer: PreTrainedTokenizerBase, stopping: Stopping) -> Callable[[list[int]], bool]:
    """Make a function that says whether an answer ends with its newest token; it has not ended before."""
    end, stop = end_of_text(tokenizer), stopping.text
    last = stop[-1:]

    @cache
    def may_complete(token: int) -> bool:
        # a character beyond ASCII may be spread over tokens; a space may be lost at the edge of a text
        return not last.isascii() or last == " " or last in tokenizer.decode([token])

    def ends(tokens: list[int]) -> bool:
        if tokens[-1] == end or not stop:
            return tokens[-1] == end
        # a character is at most four tokens of bytes; one token more, since the first may begin in its midst
        return may_complete(tokens[-1]) and stop in tokenizer.decode(tokens[-4 * len(stop) - 1 :])

    return ends


def answer_text(tokenizer: PreTrainedTokenizerBase, tokens: list[int], stop: str) -> str:
    """The text of an answer: without special tokens, cut before the stop text if any, without white space around it."""
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    return (text.split(stop)[0] if stop else text).strip()
