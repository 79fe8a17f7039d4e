"""How models that cannot be packed are read and written: texts side by side where padding changes nothing, or alone.

It is tried, since models differ in what they follow: some count padding as text, some keep something else between
steps of writing than what a single pass computes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

import torch
from transformers import GenerationConfig, PreTrainedModel, StoppingCriteriaList

from ripeness.models import steady
from ripeness.packing import FAILURES, SEQUENCES, TOLERANCE, as_it_is_read, separately

TOGETHER, ALONE, ANEW = "together", "alone", "anew"  # many texts in a step; one; a pass over the whole text a token
# Two tokens that are as likely up to rounding: the share of the logits' standard deviation between them.
ROUNDING = {torch.float32: 0.01, torch.bfloat16: 0.25}


def reads_together(model: PreTrainedModel, longest: int) -> bool:
    """Whether texts of at most `longest` tokens, padded on the right to one length, are read as each alone."""
    return longest <= steady(model.config) and ignores_padding(model)


@lru_cache(maxsize=1)  # one model is trained or measured at a time
@torch.no_grad()
def ignores_padding(model: PreTrainedModel) -> bool:
    """Whether logits stay as they are when texts are padded on the right with token 0."""
    with as_it_is_read(model), suppress(*FAILURES):
        longest = max(map(len, SEQUENCES))
        rows = [sequence + [0] * (longest - len(sequence)) for sequence in SEQUENCES]
        together = model(input_ids=torch.tensor(rows, device=model.device), use_cache=False).logits
        found = torch.cat([row[: len(sequence)] for row, sequence in zip(together, SEQUENCES, strict=True)])
        return torch.allclose(found.float(), torch.cat(separately(model)).float(), atol=TOLERANCE)
    return False


@lru_cache(maxsize=1)
@torch.no_grad()
def way_to_write(model: PreTrainedModel) -> str:
    """How `generate` of transformers writes what single passes do: TOGETHER, padded on the left; ALONE; else ANEW."""
    with as_it_is_read(model):
        for way, batches in ((TOGETHER, [SEQUENCES]), (ALONE, [[sequence] for sequence in SEQUENCES])):
            with suppress(*FAILURES):
                written = [new for batch in batches for new in generated(model, batch, 2, lambda _: False)]
                if all(is_greedy(model, sequence, new) for sequence, new in zip(SEQUENCES, written, strict=True)):
                    return way
    return ANEW


def is_greedy(model: PreTrainedModel, context: list[int], new: list[int]) -> bool:
    """Whether one pass over the text finds each new token the likeliest, up to rounding."""
    tokens = torch.tensor([context + new[:-1]], device=model.device)
    logits = model(input_ids=tokens, use_cache=False).logits[0, len(context) - 1 :]
    chosen = logits.gather(1, torch.tensor(new, device=model.device)[:, None])[:, 0]
    missed = (logits.max(-1).values - chosen).max()
    half = torch.is_autocast_enabled(model.device.type)
    return bool(missed <= ROUNDING[torch.bfloat16 if half else torch.float32] * logits.float().std())


def write_texts(
    model: PreTrainedModel,
    contexts: list[list[int]],
    batches: list[list[int]],
    max_new_tokens: int,
    ends: Callable[[list[int]], bool],
) -> list[list[int]]:
    """New tokens after every context; `batches` are places of contexts, the longest first.

    What the first batch writes is held against one pass for each text, since what only long texts meet, such as the
    edge of a window, cannot be tried before.
    """
    longest = max(map(len, contexts)) + max_new_tokens
    shortest = min(map(len, contexts))
    # the rotation of what is kept is that of a shorter text where a text grows beyond what is steady
    way = ANEW if shortest <= steady(model.config) < longest else way_to_write(model)
    if way == ALONE or longest > steady(model.config):
        batches = [[index] for batch in batches for index in batch]
    written: list[list[int]] = [[] for _ in contexts]
    for number, batch in enumerate(batches):
        if way != ANEW:
            some = [contexts[index] for index in batch]
            found = generated(model, some, max_new_tokens, ends)
            if number == 0 and not all(is_greedy(model, *pair) for pair in zip(some, found, strict=True)):
                way = ANEW
        if way == ANEW:
            found = [written_anew(model, contexts[index], max_new_tokens, ends) for index in batch]
        for index, new in zip(batch, found, strict=True):
            written[index] = new
    return written


def generated(
    model: PreTrainedModel, contexts: list[list[int]], max_new_tokens: int, ends: Callable[[list[int]], bool]
) -> list[list[int]]:
    """New tokens after every context by `generate` of transformers, padded on the left to the longest."""
    length = max(map(len, contexts))
    rows = [[0] * (length - len(context)) + context for context in contexts]
    mask = [[0] * (length - len(context)) + [1] * len(context) for context in contexts]
    tokens, seen = (torch.tensor(values, device=model.device) for values in (rows, mask))

    def have_ended(output: torch.Tensor, _: torch.Tensor, **__: object) -> torch.Tensor:
        return torch.tensor([ends(new) for new in output[:, length:].tolist()], device=output.device)

    how = GenerationConfig(do_sample=False, num_beams=1, max_new_tokens=max_new_tokens, pad_token_id=0)
    with plainly(model):
        output = model.generate(
            tokens, attention_mask=seen, generation_config=how, stopping_criteria=StoppingCriteriaList([have_ended])
        )
    found = []
    for new in output[:, length:].tolist():
        n_tokens = next((n for n in range(1, len(new)) if ends(new[:n])), len(new))
        found.append(new[:n_tokens])
    return found


@contextmanager
def plainly(model: PreTrainedModel) -> Iterator[None]:
    """Without what generation_config.json asks for a while, such as penalties for repeated words or sampling."""
    before = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = before


def written_anew(
    model: PreTrainedModel, context: list[int], max_new_tokens: int, ends: Callable[[list[int]], bool]
) -> list[int]:
    """New tokens after a context by one pass over the whole text each: slow, and right for every model."""
    new: list[int] = []
    while len(new) < max_new_tokens and not (new and ends(new)):
        logits = model(input_ids=torch.tensor([context + new], device=model.device), use_cache=False).logits
        new.append(int(logits[0, -1].argmax()))
    return new
