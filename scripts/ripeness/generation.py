"""Greedy text after a prompt, many prompts at once, up to a stop text."""

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.likelihood import by_length
from ripeness.models import end_of_text
from ripeness.prefix import prefix_cache, repeated, shared_prefix


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
    cache: object,
    stopping: Stopping,
) -> list[list[int]]:
    """New tokens of every row, greedy, without end-of-text; a row that has ended is carried along until all have."""
    end = end_of_text(tokenizer)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]  # (B, T), the prefix counted
    written: list[list[int]] = [[] for _ in range(len(tokens))]
    is_open = [True] * len(tokens)
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
        for row, token in enumerate(best.tolist()):
            if not is_open[row]:
                continue
            if token != end:
                written[row].append(token)
            is_open[row] = token != end and stopping.text not in tokenizer.decode(written[row])
        if not any(is_open):
            break
        tokens, positions = best[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return written


def answer_text(tokenizer: PreTrainedTokenizerBase, tokens: list[int], stop: str) -> str:
    """The text of an answer: without special tokens, cut before the stop text, without white space around it."""
    return tokenizer.decode(tokens, skip_special_tokens=True).split(stop)[0].strip()
