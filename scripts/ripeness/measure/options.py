"""Log-likelihoods of the options of a question: what options and questions share is read once.

Questions lie end to end in a row. Each is its context and after it all of its options, each of which sees the context
and itself. Examples that stand before every question are read once for all of them.
"""

from collections import defaultdict
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.measure.prompts import Prompt, unconditional_prompts
from ripeness.models.forward.kv_cache import KeysAndValues
from ripeness.models.forward.last_layer import ask
from ripeness.models.forward.likelihood import Request, log_likelihoods, summed_logps
from ripeness.models.forward.packed_attention import Group, group, most_unequal, row_logits, similar
from ripeness.models.forward.packing import keeps_exactly, narrows_exactly, packing, packs_exactly
from ripeness.models.forward.shared_prefix import keys_and_values, shared_prefix
from ripeness.study.equal_options import same_tokens


@torch.inference_mode()
def option_scores(model: PreTrainedModel, prompts: list[Prompt], *, batch_tokens: int) -> list[list[float]]:
    """Compute the summed log-probability (nats) of every option of every prompt.

    The same as `log_likelihoods` of each option after its context, up to rounding, whatever is batched together.
    """
    groups = defaultdict(list)  # prompts with the same examples before the question begin with the same tokens
    for index, prompt in enumerate(prompts):
        groups[prompt.n_dropped].append(index)
    results: list[list[float]] = [[] for _ in prompts]
    for indices in groups.values():
        alike = [prompts[index] for index in indices]
        for index, scores in zip(indices, scores_of_alike(model, alike, batch_tokens), strict=True):
            results[index] = scores
    return results


def scores_of_alike(model: PreTrainedModel, prompts: list[Prompt], batch_tokens: int) -> list[list[float]]:
    """Score prompts that begin alike: their common beginning is read once, each context once."""
    longest = max(len(prompt.context) + max(map(len, prompt.answers), default=0) for prompt in prompts)
    if not packs_exactly(model, longest):
        return scores_one_by_one(model, prompts, batch_tokens=batch_tokens)
    prefix = shared_prefix([prompt.context for prompt in prompts]) if keeps_exactly(model, longest) else []
    questions = [lay_out(prompt, len(prefix)) for prompt in prompts]
    results: list[list[float]] = [[] for _ in prompts]
    with packing(model, longest):
        before = keys_and_values(model, prefix)
        for batch in in_rows([len(question.tokens) for question in questions], batch_tokens):
            row = [questions[index] for index in batch]
            for index, scores in zip(batch, row_scores(model, row, len(prefix), before), strict=True):
                results[index] = scores
    return results


def scores_one_by_one(model: PreTrainedModel, prompts: list[Prompt], *, batch_tokens: int) -> list[list[float]]:
    """Score options by reading the context again for every option."""
    requests = [Request(prompt.context, answer) for prompt in prompts for answer in prompt.answers]
    logps = iter(log_likelihoods(model, requests, batch_tokens=batch_tokens))
    return [[sum(next(logps)) for _ in prompt.answers] for prompt in prompts]


@dataclass(frozen=True)
class Question:
    """A question as L tokens: what is left of its context, then every option without its last token.

    `segments` tells the context (0) and the options (1, 2, ...) apart; `answers` holds the tokens of every option, each
    with the place of the token that predicts it.
    """

    tokens: list[int]
    segments: list[int]
    positions: list[int]
    answers: list[list[tuple[int, int]]]


def lay_out(prompt: Prompt, n_prefix: int) -> Question:
    """Put the options of a prompt side by side after its context."""
    tokens = prompt.context[n_prefix:]
    segments, positions = [0] * len(tokens), list(range(n_prefix, len(prompt.context)))
    answers, last = [], len(tokens) - 1
    for segment, answer in enumerate(prompt.answers, 1):
        inner = answer[:-1]  # the last token is predicted and not read
        places = [last, *range(len(tokens), len(tokens) + len(inner))]
        answers.append(list(zip(places, answer, strict=False)))
        tokens = tokens + inner
        segments += [segment] * len(inner)
        positions += range(len(prompt.context), len(prompt.context) + len(inner))
    return Question(tokens, segments, positions, answers)


def in_rows(lengths: list[int], row_tokens: int) -> list[list[int]]:
    """Group indices into rows of at most `row_tokens` tokens, longest first: neighbours are alike, failure is early."""
    rows: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not rows or lengths[index] > room:
            rows.append([])
            room = row_tokens
        rows[-1].append(index)
        room -= lengths[index]
    return rows


def row_scores(
    model: PreTrainedModel, row: list[Question], n_prefix: int, prefix: KeysAndValues | None
) -> list[list[float]]:
    """Score the options of the questions of one row."""
    lengths = [len(question.tokens) for question in row]
    wanted: dict[int, int] = {}  # place in the row: place among the logits
    scored, option, start = [], 0, 0
    for question in row:
        for answer in question.answers:
            scored += [(wanted.setdefault(start + place, len(wanted)), token, option) for place, token in answer]
            option += 1
        start += len(question.tokens)
    places = torch.tensor(list(wanted), dtype=torch.long)
    parts = list(similar(lengths, most_unequal(model)))
    groups = [one_group(row[some.start : some.stop], n_prefix) for some in parts]
    logits = row_logits(
        model,
        [token for question in row for token in question.tokens],
        [place for question in row for place in question.positions],
        places,
        groups,
        prefix,
        asked=ask(lengths, places, parts, [group.mask for group in groups]) if narrows_exactly(model) else None,
    )  # (N, V)
    scores = iter(summed_logps(logits, scored, option, model))
    return [[next(scores) for _ in question.answers] for question in row]


def one_group(row: list[Question], n_prefix: int) -> Group:
    """Group questions of similar length, with what each token sees: the prefix, its context, its own option."""
    lengths = [len(question.tokens) for question in row]
    padded = [question.segments + [-1] * (max(lengths) - len(question.segments)) for question in row]
    hidden = ~seen_by(torch.tensor(padded))
    mask = torch.zeros(len(row), 1, max(lengths), n_prefix + max(lengths))
    mask[:, 0, :, n_prefix:].masked_fill_(hidden, torch.finfo(torch.float32).min)
    return group(lengths, mask)


def seen_by(segments: torch.Tensor) -> torch.Tensor:
    """Build the mask of what each token sees, (n, L, L): the context (segment 0) and its own option, up to itself.

    Padding (segment -1) sees itself and is not looked at.
    """
    seen, by = segments[:, None, :], segments[:, :, None]
    return ((seen == 0) | (seen == by)).tril()


def option_answers(scores: list[list[float]], prompts: list[Prompt]) -> list[dict]:
    """Describe the options of each item: log-probability, number of tokens, and which have the same tokens."""
    return [
        {
            "logps": logps,
            "n_option_tokens": [len(answer) for answer in prompt.answers],
            "same_tokens": same_tokens(prompt.answers),
        }
        for logps, prompt in zip(scores, prompts, strict=True)
    ]


def unconditional_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict],
    text: str,
    *,
    room: int,
    batch_tokens: int,
) -> list[list[float]]:
    """Compute the log-probability of every option of each item after a text that names no question."""
    prompts = unconditional_prompts(tokenizer, rows, text, room=room)
    scores = option_scores(model, list(prompts.values()), batch_tokens=batch_tokens)
    alone = {option: logps[0] for option, logps in zip(prompts, scores, strict=True)}
    return [[alone[option] for option in row["choices"]] for row in rows]
