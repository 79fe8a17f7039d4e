"""Log-likelihoods of the options of a question: what options and questions share is read once.

A batch has a row for every question: its context, and after it all of its options side by side, each of which sees the
context and itself. Examples that stand before every question are read once for all of them.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from transformers import PreTrainedModel

from ripeness.likelihood import Request, by_length, log_likelihoods
from ripeness.models import attention_is_plain
from ripeness.prefix import prefix_cache, read_only, shared_prefix
from ripeness.prompts import Prompt

TOLERANCE = 1e-3  # nats between an option that shares its context and one that is read alone, in fp32


@torch.inference_mode()
def option_scores(model: PreTrainedModel, prompts: list[Prompt], *, batch_tokens: int) -> list[list[float]]:
    """The summed log-probability (nats) of every option of every prompt.

    The same as `log_likelihoods` of each option after its context, up to rounding, whatever is batched together.
    """
    if not shares_exactly(model):
        return scores_one_by_one(model, prompts, batch_tokens=batch_tokens)
    groups = defaultdict(list)  # prompts with the same examples before the question begin with the same tokens
    for index, prompt in enumerate(prompts):
        groups[prompt.n_dropped].append(index)
    results: list[list[float]] = [[] for _ in prompts]
    for indices in groups.values():
        for index, scores in zip(
            indices, shared_scores(model, [prompts[i] for i in indices], batch_tokens), strict=True
        ):
            results[index] = scores
    return results


def scores_one_by_one(model: PreTrainedModel, prompts: list[Prompt], *, batch_tokens: int) -> list[list[float]]:
    """The same by reading the context anew for every option."""
    requests = [Request(prompt.context, answer) for prompt in prompts for answer in prompt.answers]
    logps = iter(log_likelihoods(model, requests, batch_tokens=batch_tokens))
    return [[sum(next(logps)) for _ in prompt.answers] for prompt in prompts]


@lru_cache(maxsize=1)  # one model is measured at a time
def shares_exactly(model: PreTrainedModel) -> bool:
    """Whether attention follows a mask of our own; tried on two small questions, since models differ.

    It does not where a model attends in windows, adds distances to its scores, or has no attention at all.
    """
    if not attention_is_plain(model):
        return False
    prefix = list(range(1, 10))
    prompts = [Prompt([*prefix, 3, 1], [[2, 4, 6], [5]], 0), Prompt([*prefix, 7], [[1, 2], [3, 4, 5]], 0)]
    try:
        found = shared_scores(model, prompts, batch_tokens=10**6)
    except (TypeError, ValueError, RuntimeError, AttributeError):
        return False
    expected = scores_one_by_one(model, prompts, batch_tokens=10**6)
    return torch.allclose(torch.tensor(found), torch.tensor(expected), atol=TOLERANCE)


def shared_scores(model: PreTrainedModel, prompts: list[Prompt], batch_tokens: int) -> list[list[float]]:
    """Scores of prompts that begin alike: their common beginning is read once, each context once."""
    prefix = shared_prefix([prompt.context for prompt in prompts])
    cache = read_only(prefix_cache(model, prefix))
    results: list[list[float]] = [[] for _ in prompts]
    for batch in by_length([len(prefix) + row_length(prompt, len(prefix)) for prompt in prompts], batch_tokens):
        rows = [prompts[i] for i in batch]
        layout = lay_out(rows, len(prefix), model)
        logits = model(
            input_ids=layout.tokens,
            attention_mask=layout.mask,
            position_ids=layout.positions,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=layout.n_kept,
        ).logits  # (B, K, V), K from the last token of the context on
        for index, sums in zip(batch, summed(logits, layout, rows), strict=True):
            results[index] = sums
    return results


def row_length(prompt: Prompt, n_prefix: int) -> int:
    """Tokens of a row: what is left of the context, and every option without its last token, which is only scored."""
    return len(prompt.context) - n_prefix + sum(len(answer) - 1 for answer in prompt.answers if answer)


@dataclass(frozen=True)
class Layout:
    """A batch of B questions as rows of T tokens, after a prefix of P tokens; the contexts end in the same column.

    `n_kept` is the number of columns from the contexts' last on. `row`, `column`, `target` and `option` have an entry
    for every option token: where the logits that predict it are, counted from that column, and whose it is.
    """

    tokens: torch.Tensor  # (B, T)
    positions: torch.Tensor  # (B, T)
    mask: torch.Tensor  # (B, 1, T, P + T)
    n_kept: int
    row: torch.Tensor
    column: torch.Tensor
    target: torch.Tensor
    option: torch.Tensor


def lay_out(prompts: list[Prompt], n_prefix: int, model: PreTrainedModel) -> Layout:
    """Put each question's context, padded on the left, and its options, padded on the right, into a row."""
    n_context = max(len(prompt.context) for prompt in prompts) - n_prefix
    length = n_context + max(sum(len(answer) - 1 for answer in prompt.answers if answer) for prompt in prompts)
    tokens, positions, segments, places, number = [], [], [], [], 0
    for row, prompt in enumerate(prompts):
        rest = prompt.context[n_prefix:]
        pad = n_context - len(rest)
        row_tokens, row_segments = [0] * pad + rest, [-1] * pad + [0] * len(rest)
        row_positions = [0] * pad + list(range(n_prefix, n_prefix + len(rest)))
        for segment, answer in enumerate(prompt.answers, 1):
            start = len(row_tokens) - n_context  # the option's second token is predicted here
            columns = [0, *range(start + 1, start + len(answer))]
            places += [(row, column, token, number) for column, token in zip(columns, answer, strict=False)]
            row_tokens += answer[:-1]
            row_segments += [segment] * len(answer[:-1])
            row_positions += range(len(prompt.context), len(prompt.context) + len(answer[:-1]))
            number += 1
        fill = length - len(row_tokens)
        tokens.append(row_tokens + [0] * fill)
        positions.append(row_positions + [0] * fill)
        segments.append(row_segments + [-1] * fill)
    tensor = partial(torch.tensor, device=model.device)
    mask = mask_of(tensor(segments), n_prefix)
    if model.config._attn_implementation == "eager":  # adds its mask to the scores; others take booleans
        mask = torch.zeros(mask.shape, dtype=model.dtype, device=mask.device).masked_fill(
            ~mask, torch.finfo(model.dtype).min
        )
    row, column, target, option = tensor(places, dtype=torch.long).view(-1, 4).unbind(1)
    kept = length - n_context + 1
    return Layout(tensor(tokens), tensor(positions), mask, kept, row, column, target, option)


def mask_of(segments: torch.Tensor, n_prefix: int) -> torch.Tensor:
    """What each token sees, (B, 1, T, P + T): the prefix, the context (segment 0) and its own option, up to itself;
    padding (segment -1) sees itself, so that none sees nothing."""
    n_rows, length = segments.shape
    seen, by = segments[:, None, :], segments[:, :, None]
    earlier = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    allowed = earlier & ((seen == 0) | ((seen == by) & (by > 0)))
    allowed |= torch.eye(length, dtype=torch.bool, device=segments.device)
    return torch.cat([allowed.new_ones(n_rows, length, n_prefix), allowed], dim=2)[:, None]


def summed(logits: torch.Tensor, layout: Layout, prompts: list[Prompt]) -> list[list[float]]:
    """Sums of log-probabilities by prompt and option, in fp32."""
    # row by row, so that only a row of probabilities is in memory beside the logits
    norms = torch.stack([row.float().logsumexp(-1) for row in logits])  # (B, K)
    chosen = logits[layout.row, layout.column, layout.target].float() - norms[layout.row, layout.column]
    sums = torch.zeros(sum(len(prompt.answers) for prompt in prompts), device=logits.device)
    scores = iter(sums.index_add(0, layout.option, chosen).tolist())
    return [[next(scores) for _ in prompt.answers] for prompt in prompts]
