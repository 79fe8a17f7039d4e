"""Greedy text after a prompt, many prompts at once, up to a stop text."""

from dataclasses import dataclass

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from ripeness.likelihood import by_length
from ripeness.models import end_of_text
from ripeness.prefix import prefix_cache, repeated, shared_prefix

SHRINK_AT = 0.8  # a batch is made smaller when no more than this share of its texts still goes on


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
    """The greedy continuation of every context, cut before the stop text and stripped of white space.

    What all contexts begin with is read once; prompts of similar length share a batch, and a text that has ended leaves
    it, so that the others go on faster.
    """
    prefix = shared_prefix(contexts)
    cache = prefix_cache(model, prefix)
    rests = [context[len(prefix) :] for context in contexts]
    results = ["" for _ in contexts]
    for batch in by_length([len(rest) + stopping.max_new_tokens for rest in rests], batch_tokens):
        tokens, mask = left_padded([rests[i] for i in batch], len(prefix), model.device)
        written = continue_batch(model, tokenizer, tokens, mask, repeated(cache, len(batch)), stopping)
        for index, new in zip(batch, written, strict=True):
            results[index] = answer_text(tokenizer, new, stopping.text)
    return results


def left_padded(rests: list[list[int]], n_prefix: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (B, T), padded on the left so that every row goes on at its end, and the mask (B, P + T) over prefix and
    row."""
    length = max(len(rest) for rest in rests)
    tokens = torch.tensor([[0] * (length - len(rest)) + rest for rest in rests], device=device)
    mask = torch.tensor(
        [[1] * n_prefix + [0] * (length - len(rest)) + [1] * len(rest) for rest in rests], device=device
    )
    return tokens, mask


def continue_batch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tokens: torch.Tensor,
    mask: torch.Tensor,
    cache: DynamicCache | None,
    stopping: Stopping,
) -> list[list[int]]:
    """New tokens of every row, greedy, without end-of-text."""
    end = end_of_text(tokenizer)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]  # (B, T), the prefix counted
    written: list[list[int]] = [[] for _ in range(len(tokens))]
    rows, is_open = list(range(len(tokens))), [True] * len(tokens)  # which text each row of the tensors is
    for _ in range(stopping.max_new_tokens):
        output = model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache, best = output.past_key_values, output.logits[:, -1].argmax(-1)  # (B,)
        for place, token in enumerate(best.tolist()):
            text = written[rows[place]]
            if is_open[place] and token != end:
                text.append(token)
            is_open[place] = is_open[place] and token != end and not has_stopped(tokenizer, text, stopping.text)
        tokens, positions = best[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        if sum(is_open) <= SHRINK_AT * len(rows):
            kept = [place for place, still in enumerate(is_open) if still]
            if not kept:
                break
            rows, is_open = [rows[place] for place in kept], [True] * len(kept)
            kept = torch.tensor(kept, device=tokens.device)
            tokens, positions, mask = tokens[kept], positions[kept], mask[kept]
            cache.batch_select_indices(kept)
    return written


def has_stopped(tokenizer: PreTrainedTokenizerBase, tokens: list[int], stop: str) -> bool:
    """Whether the stop text ends among the last few tokens; earlier ones were looked at when they were written."""
    # a character is at most four tokens of bytes; one token more, since the first one's text may begin in the middle
    return stop in tokenizer.decode(tokens[-4 * len(stop) - 1 :])


def answer_text(tokenizer: PreTrainedTokenizerBase, tokens: list[int], stop: str) -> str:
    """The text of an answer: without special tokens, cut before the stop text, without white space around it."""
    return tokenizer.decode(tokens, skip_special_tokens=True).split(stop)[0].strip()
