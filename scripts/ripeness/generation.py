"""Greedy text after a prompt, many prompts at once, up to a stop text; and how well the right answer was expected."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from transformers import LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteriaList

from ripeness.attention import SIMILAR_ASKED, causal_groups, row_logits, similar
from ripeness.likelihood import Request, by_length, is_even, log_likelihoods
from ripeness.memory import Memory
from ripeness.models import end_of_text
from ripeness.narrowing import ask
from ripeness.options import summed_logps
from ripeness.packing import keeps_exactly, narrows_exactly, packing, pads_exactly
from ripeness.prefix import keys_and_values, shared_prefix
from ripeness.token_healing import Start, allowed, still_to_write, text_after

SHRINK_AT = 0.8  # texts that have ended make room when no more than this share still goes on
# Texts are written side by side as long as their tokens are no more than this many times those of a batch: a step reads
# all weights, so that one for many texts costs little more than one for few.
KEPT = 4


NO_TOKEN = -1  # is written where the model's numbers are none, and ends the text


@dataclass(frozen=True)
class Stopping:
    """When an answer ends: after this many tokens, before one of these texts, or at one of these tokens.

    The end-of-text token of the tokenizer always ends it.
    """

    max_new_tokens: int
    texts: tuple[str, ...] = ()
    tokens: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Writer:
    """What decides the next token of a text, and whether it was the last. `choose` and `ends` take where it started."""

    choose: Callable[[torch.Tensor, list[tuple[Start, list[int]]]], list[int]]
    ends: Callable[[Start, list[int]], bool]
    max_new_tokens: int

    def is_over(self, start: Start, tokens: list[int]) -> bool:
        """Whether a text has ended; tokens of the prompt that were written again do not count."""
        return len(tokens) >= self.max_new_tokens + start.n_again or self.ends(start, tokens)


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    contexts: list[list[int]],
    stopping: Stopping,
    *,
    batch_tokens: int,
) -> list[str | None]:
    """The greedy continuation of every context, cut before the stop text and stripped of white space."""
    starts, nothing = [Start(context) for context in contexts], [[] for _ in contexts]
    return [text for text, _ in answer(model, tokenizer, starts, nothing, stopping, batch_tokens=batch_tokens)]


@torch.inference_mode()
def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    starts: list[Start],
    targets: list[list[int]],
    stopping: Stopping,
    *,
    batch_tokens: int,
) -> list[tuple[str | None, float]]:
    """What `generate` gives, and the summed log-probability (nats) of the target's tokens after every context.

    What all contexts begin with is read once. Prompts are read in batches of `batch_tokens`, the longest first, and
    KEPT times as many tokens are kept at once; a text that has ended makes room for the next. A target is read with its
    prompt. The text is None where the model's numbers were none.
    """
    if not starts:
        return []
    ends = answer_ends(tokenizer, stopping)
    writer = Writer(chooser(model, tokenizer), ends, stopping.max_new_tokens)
    new_tokens = max(stopping.max_new_tokens + max(start.n_again for start in starts), *map(len, targets))
    longest = max(len(start.context) for start in starts) + new_tokens
    write = write_packed if keeps_exactly(model, longest) else write_plainly
    written, logps = write(model, starts, targets, writer, batch_tokens)
    texts = map(partial(answer_text, tokenizer, stopping), starts, written)
    return list(zip(texts, logps, strict=True))


def write_packed(
    model: PreTrainedModel, starts: list[Start], targets: list[list[int]], writer: Writer, batch_tokens: int
) -> tuple[list[list[int]], list[float]]:
    """New tokens after every context, and the targets' log-probabilities, of a model that can pack and go on."""
    prefix = shared_prefix([start.context for start in starts])
    rests = [start.context[len(prefix) :] for start in starts]
    news = [writer.max_new_tokens + start.n_again for start in starts]
    room = max(map(len, rests)) + max(*news, *map(len, targets))
    n_places = min(len(starts), max(1, KEPT * batch_tokens // room))
    lengths = [len(rest) + len(target) for rest, target in zip(rests, targets, strict=True)]
    waiting = sorted(range(len(starts)), key=lambda index: lengths[index])  # taken from the end
    written: list[list[int]] = [[] for _ in starts]
    logps = [0.0] * len(starts)
    rows: list[int] = []  # which text is where in the memory
    is_open = [True] * len(starts)
    with packing(model, len(prefix) + room):
        memory = Memory(n_places, room, keys_and_values(model, prefix))
        while rows or waiting:
            n_read = max(1, batch_tokens // lengths[waiting[-1]]) if waiting else 0
            new = [waiting.pop() for _ in range(min(n_places - len(rows), len(waiting), n_read))]
            if new:
                asked = [(rests[index], targets[index]) for index in new]
                logits, found = read(model, asked, memory, len(rows), len(prefix))
                for index, logp in zip(new, found, strict=True):
                    logps[index] = logp
                rows += new
            else:  # a text that has ended writes its last token again, which nobody looks at
                so_far = [len(rests[index]) + len(written[index]) - 1 for index in rows]
                last = [max(written[index][-1], 0) for index in rows]
                logits = step(model, last, so_far, memory, len(prefix))
            asking = new or rows
            best = writer.choose(logits, [(starts[index], written[index]) for index in asking])
            for index, token in zip(asking, best, strict=True):
                if is_open[index]:
                    written[index].append(token)
                    is_open[index] = not writer.is_over(starts[index], written[index])
            kept = [place for place, index in enumerate(rows) if is_open[index]]
            if len(kept) <= SHRINK_AT * len(rows):
                memory.keep(kept)
                rows = [rows[place] for place in kept]
    return written, logps


def read(
    model: PreTrainedModel, asked: list[tuple[list[int], list[int]]], memory: Memory, first: int, n_prefix: int
) -> tuple[torch.Tensor, list[float]]:
    """Logits of the first new token of every text, whose prompts the memory gets from number `first` on; and
    log-probabilities of the targets.

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
    return logits[firsts], summed_logps(logits, scored, len(texts), model)


def step(model: PreTrainedModel, tokens: list[int], lengths: list[int], memory: Memory, n_prefix: int) -> torch.Tensor:
    """Logits of the next token of every text, given its newest one and how many the memory holds before that."""
    memory.step(lengths, model.device)
    positions, all_of_them = [n_prefix + length for length in lengths], torch.arange(len(tokens), device=model.device)
    return row_logits(model, tokens, positions, all_of_them, [], memory=memory)


def write_plainly(
    model: PreTrainedModel, starts: list[Start], targets: list[list[int]], writer: Writer, batch_tokens: int
) -> tuple[list[list[int]], list[float]]:
    """The same by `generate` of transformers, for models with attention of another kind, or with none."""
    requests = [Request(start.context, target) for start, target in zip(starts, targets, strict=True) if target]
    scores = iter(log_likelihoods(model, requests, batch_tokens=batch_tokens))
    logps = [sum(next(scores)) if target else 0.0 for target in targets]
    written: list[list[int]] = [[] for _ in starts]
    news = [writer.max_new_tokens + start.n_again for start in starts]
    lengths = [len(start.context) + new for start, new in zip(starts, news, strict=True)]
    batches = by_length(lengths, batch_tokens) if pads_exactly(model) else [[index] for index in range(len(starts))]
    for batch in batches:
        asked = [starts[index] for index in batch]
        length = max(len(start.context) for start in asked)
        before = [length - len(start.context) for start in asked]
        tokens = [[0] * n + start.context for n, start in zip(before, asked, strict=True)]
        mask = [[0] * n + [1] * len(start.context) for n, start in zip(before, asked, strict=True)]
        output = model.generate(
            torch.tensor(tokens, device=model.device), attention_mask=torch.tensor(mask, device=model.device),
            do_sample=False, max_new_tokens=max(news[index] for index in batch),
            stopping_criteria=StoppingCriteriaList([have_ended(asked, length, writer)]),
            logits_processor=LogitsProcessorList([only_chosen(asked, length, writer, lost := set())]),
            eos_token_id=-1, pad_token_id=0,
        )  # fmt: skip
        for place, (index, start, new) in enumerate(zip(batch, asked, output[:, length:].tolist(), strict=True)):
            n_tokens = next((n for n in range(1, len(new)) if writer.is_over(start, new[:n])), len(new))
            written[index] = [NO_TOKEN] if place in lost else new[:n_tokens]
    return written, logps


def have_ended(starts: list[Start], length: int, writer: Writer) -> Callable[..., torch.Tensor]:
    """Make a stopping criterion of transformers for texts that start after `length` tokens."""

    def criterion(output: torch.Tensor, _: torch.Tensor, **__: object) -> torch.Tensor:
        new = zip(starts, output[:, length:].tolist(), strict=True)
        return torch.tensor([writer.is_over(start, tokens) for start, tokens in new], device=output.device)

    return criterion


def only_chosen(starts: list[Start], length: int, writer: Writer, lost: set[int]) -> Callable[..., torch.Tensor]:
    """Make a processor of transformers that leaves one token to each text: the one that the writer chooses.

    Texts for which there was none while they had not ended are added to `lost`.
    """

    def processor(tokens: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        texts = list(zip(starts, tokens[:, length:].tolist(), strict=True))
        best = writer.choose(logits, texts)
        for place, (start, new) in enumerate(texts):
            if best[place] == NO_TOKEN and not any(writer.is_over(start, new[:n]) for n in range(1, len(new) + 1)):
                lost.add(place)
        chosen = torch.full_like(logits, -torch.inf)
        return chosen.scatter_(1, torch.tensor(best, device=logits.device).clamp(min=0)[:, None], 0.0)

    return processor


def chooser(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Callable[[torch.Tensor, list[tuple[Start, list[int]]]], list[int]]:
    """Make a function that gives the most probable next token of each text; of those that may come, while some of the
    prompt's are written again; NO_TOKEN where the model's numbers are none, or all the same (see `token_logps`).
    """
    knows_even = is_even(model)

    @cache
    def may_come(again: str) -> torch.Tensor:
        return torch.tensor(allowed(tokenizer, again), device=model.device)

    def choose(logits: torch.Tensor, texts: list[tuple[Start, list[int]]]) -> list[int]:
        highest, best = logits.max(-1)
        has_numbers = highest.isfinite() & (knows_even | (highest > logits.amin(-1)))
        chosen = torch.where(has_numbers, best, NO_TOKEN).tolist()
        for row, (start, tokens) in enumerate(texts):
            again = start.again
            for token in tokens if again else []:
                again = still_to_write(tokenizer, again, token) if again else again
            if again and chosen[row] != NO_TOKEN and len(may_come(again)):
                chosen[row] = int(may_come(again)[logits[row, may_come(again)].argmax()])
        return chosen

    return choose


def end_ids(tokenizer: PreTrainedTokenizerBase, stopping: Stopping) -> frozenset[int]:
    """The tokens that end an answer."""
    return stopping.tokens | {end_of_text(tokenizer), NO_TOKEN}


def answer_ends(tokenizer: PreTrainedTokenizerBase, stopping: Stopping) -> Callable[[Start, list[int]], bool]:
    """Make a function that says whether an answer ends with its newest token; it has not ended before."""
    over, stops = end_ids(tokenizer, stopping), [text for text in stopping.texts if text]
    # a character is at most four tokens of bytes; one token more, since the first may begin in its midst
    n_read = 4 * max(map(len, stops), default=0) + 1

    @cache
    def may_complete(token: int) -> bool:
        # a character beyond ASCII may be spread over tokens; a space may be lost at the edge of a text
        lasts = {stop[-1] for stop in stops}
        return any(not last.isascii() or last == " " for last in lasts) or any(
            last in tokenizer.decode([token]) for last in lasts
        )

    def ends(start: Start, tokens: list[int]) -> bool:
        if tokens[-1] in over or not stops:
            return tokens[-1] in over
        if not may_complete(tokens[-1]):
            return False
        is_near = start.again and len(tokens) <= n_read  # what the prompt had is written again, and stops nothing
        text = text_after(tokenizer, start, tokens) if is_near else tokenizer.decode(tokens[-n_read:])
        return any(stop in text for stop in stops)

    return ends


def answer_text(tokenizer: PreTrainedTokenizerBase, stopping: Stopping, start: Start, tokens: list[int]) -> str | None:
    """The text of an answer: up to the token that ends it, cut before the first stop text, without white space around.

    Other special tokens stay in sight. None where the model's numbers were none.
    """
    if NO_TOKEN in tokens:
        return None
    over = end_ids(tokenizer, stopping)
    n = next((place for place, token in enumerate(tokens) if token in over), len(tokens))
    text = text_after(tokenizer, start, tokens[:n])
    for stop in stopping.texts:
        text = text.split(stop)[0] if stop else text
    return text.strip()
