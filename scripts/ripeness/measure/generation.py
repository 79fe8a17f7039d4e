"""Greedy text after a prompt, many prompts at once, up to a stop text; and how well the right answer was expected."""

from functools import partial

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.measure.options import summed_logps
from ripeness.models.forward.kv_cache import Memory
from ripeness.models.forward.last_layer import ask
from ripeness.models.forward.likelihood import Request, by_length, log_likelihoods
from ripeness.models.forward.packed_attention import SIMILAR_ASKED, causal_groups, row_logits, similar
from ripeness.models.forward.packing import keeps_exactly, narrows_exactly, packing
from ripeness.models.forward.padding import write_texts
from ripeness.models.forward.shared_prefix import keys_and_values, shared_prefix
from ripeness.models.next_token import Stopping, Writer, answer_text, writer_of
from ripeness.models.token_healing import Start

SHRINK_AT = 0.8  # texts that have ended make room when no more than this share still goes on
# Texts are written side by side as long as their tokens are no more than this many times those of a batch: a step reads
# all weights, so that one for many texts costs little more than one for few.
KEPT = 4


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    contexts: list[list[int]],
    stopping: Stopping,
    *,
    batch_tokens: int,
) -> list[str | None]:
    """Generate greedily after every context; cut before the stop text and strip white space."""
    starts = [Start(context) for context in contexts]
    nothing: list[list[int]] = [[] for _ in contexts]
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
    """Generate as `generate` does, and compute the log-probability (nats) of the target after every context.

    What all contexts begin with is read once. Prompts are read in batches of `batch_tokens`, the longest first, and
    KEPT times as many tokens are kept at once; a text that has ended makes room for the next. A target is read with its
    prompt. The text is None where the model's numbers were none.
    """
    if not starts:
        return []
    writer = writer_of(model, tokenizer, stopping)
    written, logps = write(model, starts, targets, writer, batch_tokens)
    texts = map(partial(answer_text, tokenizer, stopping), starts, written)
    return list(zip(texts, logps, strict=True))


def write(
    model: PreTrainedModel, starts: list[Start], targets: list[list[int]], writer: Writer, batch_tokens: int
) -> tuple[list[list[int]], list[float]]:
    """Generate tokens after every context, and compute the log-probability (nats) of every target."""
    new_tokens = max(*map(writer.most_tokens, starts), *map(len, targets))
    longest = max(len(start.context) for start in starts) + new_tokens
    way = write_packed if keeps_exactly(model, longest) else write_plainly
    return way(model, starts, targets, writer, batch_tokens)


def write_packed(
    model: PreTrainedModel, starts: list[Start], targets: list[list[int]], writer: Writer, batch_tokens: int
) -> tuple[list[list[int]], list[float]]:
    """Generate and score targets with a model that supports packing and a key-value cache."""
    prefix = shared_prefix([start.context for start in starts])
    rests = [start.context[len(prefix) :] for start in starts]
    room = max(map(len, rests)) + max(*map(writer.most_tokens, starts), *map(len, targets))
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
    """Compute logits of the first new token of every text, and log-probabilities of the targets.

    A text is a prompt with a target, which may be empty. The memory gets the prompts from number `first` on. It gets
    the targets too, but generated tokens overwrite them.
    """
    texts = [rest + target[:-1] for rest, target in asked]  # the last token is predicted and not read
    lengths = [len(text) for text in texts]
    memory.read(first, lengths, model.device)
    tokens = [token for text in texts for token in text]
    positions = [n_prefix + place for length in lengths for place in range(length)]
    wanted: list[int] = []  # places in the row
    firsts: list[int] = []  # rows of logits
    scored: list[tuple[int, int, int]] = []  # (row of logits, token, text)
    start = 0
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
    """Compute the logits of every text's next token, from its newest one and the number of tokens in memory."""
    memory.step(lengths, model.device)
    positions, all_of_them = [n_prefix + length for length in lengths], torch.arange(len(tokens), device=model.device)
    return row_logits(model, tokens, positions, all_of_them, [], memory=memory)


def write_plainly(
    model: PreTrainedModel, starts: list[Start], targets: list[list[int]], writer: Writer, batch_tokens: int
) -> tuple[list[list[int]], list[float]]:
    """Generate and score targets with `generate` of transformers, for models that cannot be packed."""
    requests = [Request(start.context, target) for start, target in zip(starts, targets, strict=True) if target]
    scores = iter(log_likelihoods(model, requests, batch_tokens=batch_tokens))
    logps = [sum(next(scores)) if target else 0.0 for target in targets]
    lengths = [len(start.context) + writer.most_tokens(start) for start in starts]
    return write_texts(model, starts, list(by_length(lengths, batch_tokens)), writer), logps
