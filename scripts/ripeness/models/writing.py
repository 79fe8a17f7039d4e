"""Write tokens after prompts, many side by side; with the most probable ones or with drawn ones, as a writer chooses.

What is in memory is packed: prompts are read end to end, and each text gets one more token a step.
"""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.forward.kv_cache import Memory
from ripeness.models.forward.last_layer import ask
from ripeness.models.forward.likelihood import Request, by_length, log_likelihoods, summed_logps
from ripeness.models.forward.packed_attention import (
    SIMILAR_ASKED,
    causal_groups,
    most_unequal,
    row_logits,
    similar,
)
from ripeness.models.forward.packing import keeps_exactly, narrows_exactly, packing
from ripeness.models.forward.padding import write_texts
from ripeness.models.forward.shared_prefix import keys_and_values, shared_prefix
from ripeness.models.next_token import Drawn, Sampling, Stopping, Writer, drawing_writer
from ripeness.models.token_healing import Start

SHRINK_AT = 0.8  # texts that have ended make room when no more than this share still goes on
# Texts are written side by side as long as their tokens are no more than this many times those of a batch: a step reads
# all weights, so that one for many texts costs little more than one for few.
KEPT = 4


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    starts: list[Start],
    stopping: Stopping,
    sampling: Sampling,
    *,
    n: int,
    seed: int,
    batch_tokens: int,
) -> list[list[list[int]]]:
    """Draw the tokens of `n` texts after every start; the seed decides them. Each prompt is read once for its texts.

    The last token of a text is the one that ended it, unless it has `max_new_tokens`.
    """
    writer = drawing_writer(model, tokenizer, stopping, sampling)
    most = max(map(writer.most_tokens, starts))
    chances = torch.rand(len(starts), n, most, generator=torch.Generator().manual_seed(seed)).tolist()
    drawn: list[Start] = [
        Drawn(start.context, start.again, start.n_again, tuple(own))
        for start, several in zip(starts, chances, strict=True)
        for own in several
    ]
    written, _ = write(model, drawn, [[] for _ in drawn], writer, batch_tokens)
    return [written[first : first + n] for first in range(0, len(written), n)]


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
            new = next_texts(waiting, starts, n_places - len(rows), n_read)
            if new:
                asked, begun = [(rests[index], targets[index]) for index in new], [starts[index] for index in new]
                logits, found = read_once(model, begun, asked, memory, len(rows), len(prefix))
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


def next_texts(waiting: list[int], starts: list[Start], n_free: int, n_read: int) -> list[int]:
    """Take at most `n_free` texts from the end of those that wait, with `n_read` prompts among them."""
    new: list[int] = []
    while waiting and len(new) < n_free:
        n_read -= not (new and is_same_prompt(starts[new[-1]], starts[waiting[-1]]))
        if n_read < 0:
            break
        new.append(waiting.pop())
    return new


def read_once(
    model: PreTrainedModel,
    starts: list[Start],
    asked: list[tuple[list[int], list[int]]],
    memory: Memory,
    first: int,
    n_prefix: int,
) -> tuple[torch.Tensor, list[float]]:
    """Compute what `read` does of new texts; a prompt after which several are drawn is read for the first of them."""
    heads = prompts_of(starts)
    read_ones = list(dict.fromkeys(heads))
    logits, found = read(model, [asked[head] for head in read_ones], memory, first, n_prefix)
    if len(read_ones) == len(starts):
        return logits, found
    places = [read_ones.index(head) for head in heads]
    memory.repeat(first, places)
    return logits[places], [found[place] for place in places]


def prompts_of(starts: list[Start]) -> list[int]:
    """Return for every text the first of its neighbours that is drawn after the same prompt; most often itself."""
    heads: list[int] = []
    for place, start in enumerate(starts):
        heads.append(heads[-1] if heads and is_same_prompt(starts[place - 1], start) else place)
    return heads


def is_same_prompt(one: Start, other: Start) -> bool:
    """Tell whether two texts are drawn after one prompt, which is then read once."""
    return isinstance(one, Drawn) and isinstance(other, Drawn) and one.context is other.context


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
    places, groups = torch.tensor(wanted), causal_groups(lengths, most_unequal(model), n_prefix)
    parts = list(similar(lengths, SIMILAR_ASKED))
    only = ask(lengths, places, parts, n_prefix=n_prefix) if narrows_exactly(model) else None
    logits = row_logits(model, tokens, positions, places, groups, memory.prefix, memory, asked=only)  # (N, V)
    return logits[firsts], summed_logps(logits, scored, len(texts), model)


def step(model: PreTrainedModel, tokens: list[int], lengths: list[int], memory: Memory, n_prefix: int) -> torch.Tensor:
    """Compute the logits of every text's next token, from its newest one and the number of tokens in memory."""
    memory.step(lengths, model.device)
    positions, all_of_them = [n_prefix + length for length in lengths], torch.arange(len(tokens))
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
