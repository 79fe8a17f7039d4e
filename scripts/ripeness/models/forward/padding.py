"""How models that cannot be packed are read and written: texts side by side where padding changes nothing, or alone.

It is tried, since models differ in what they follow: some count padding as text, some keep something else between
steps of writing than what a single pass computes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

import torch
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList

from ripeness.models.context_limits import steady_for_text
from ripeness.models.forward.packing import FAILURES, SEQUENCES, TOLERANCE, as_it_is_read, separately
from ripeness.models.forward.trials import trial
from ripeness.models.next_token import NO_TOKEN, Writer, greedy
from ripeness.models.token_healing import Start

TOGETHER, ALONE, REREAD = "together", "alone", "reread"  # many texts in a step; one; a pass over the whole text a token
# Two tokens that are as likely up to rounding: the share of the logits' standard deviation between them.
ROUNDING = {torch.float32: 0.01, torch.bfloat16: 0.25}


def reads_together(model: PreTrainedModel, longest: int) -> bool:
    """Return whether texts of at most `longest` tokens, padded on the right, are read as each alone."""
    return longest <= steady_for_text(model) and ignores_padding(model)


@trial
@lru_cache(maxsize=1)  # one model is trained or measured at a time
@torch.no_grad()
def ignores_padding(model: PreTrainedModel) -> bool:
    """Return whether logits stay unchanged when texts are padded on the right with token 0."""
    with as_it_is_read(model), suppress(*FAILURES):
        longest = max(map(len, SEQUENCES))
        rows = [sequence + [0] * (longest - len(sequence)) for sequence in SEQUENCES]
        together = model(input_ids=torch.tensor(rows, device=model.device), use_cache=False).logits
        found = torch.cat([row[: len(sequence)] for row, sequence in zip(together, SEQUENCES, strict=True)])
        return torch.allclose(found.float(), torch.cat(separately(model)).float(), atol=TOLERANCE)
    return False


@trial
@lru_cache(maxsize=1)
@torch.no_grad()
def way_to_write(model: PreTrainedModel) -> str:
    """Find how `generate` of transformers matches single passes: TOGETHER, padded on the left; ALONE; else REREAD."""
    starts, writer = [Start(sequence) for sequence in SEQUENCES], greedy(2)
    with as_it_is_read(model):
        for way, batches in ((TOGETHER, [starts]), (ALONE, [[start] for start in starts])):
            with suppress(*FAILURES):
                written = [new for batch in batches for new in generated(model, batch, writer)]
                if all(is_written_so(model, writer, *text) for text in zip(starts, written, strict=True)):
                    return way
    return REREAD


def is_written_so(model: PreTrainedModel, writer: Writer, start: Start, new: list[int]) -> bool:
    """Return whether single passes over the text choose the same tokens, or ones as likely up to rounding."""
    if NO_TOKEN in new:
        return True
    tokens = torch.tensor([start.context + new[:-1]], device=model.device)
    logits = model(input_ids=tokens, use_cache=False).logits[0, len(start.context) - 1 :]
    best = torch.tensor(writer.choose(logits, [(start, new[:place]) for place in range(len(new))]))
    if (best == NO_TOKEN).any():
        return False
    of_best, of_new = (logits.gather(1, chosen.to(model.device)[:, None])[:, 0] for chosen in (best, torch.tensor(new)))
    half = torch.is_autocast_enabled(model.device.type)
    room = ROUNDING[torch.bfloat16 if half else torch.float32] * logits.float().std()
    return bool((of_best - of_new).max() <= room)


def write_texts(
    model: PreTrainedModel, starts: list[Start], batches: list[list[int]], writer: Writer
) -> list[list[int]]:
    """Generate tokens after every context; `batches` are indices of contexts, the longest first.

    What the first batch writes is held against one pass for each text, since what only long texts meet, such as the
    edge of a window, cannot be tried before.
    """
    longest = max(len(start.context) + writer.most_tokens(start) for start in starts)
    shortest = min(len(start.context) for start in starts)
    # the rotation of what is kept is that of a shorter text where a text grows beyond what is steady
    way = REREAD if shortest <= steady_for_text(model) < longest else way_to_write(model)
    if way == ALONE or longest > steady_for_text(model):
        batches = [[index] for batch in batches for index in batch]
    written: list[list[int]] = [[] for _ in starts]
    for number, batch in enumerate(batches):
        some = [starts[index] for index in batch]
        if way != REREAD:
            found = generated(model, some, writer)
            if number == 0 and not all(is_written_so(model, writer, *text) for text in zip(some, found, strict=True)):
                way = REREAD
        if way == REREAD:
            found = [written_anew(model, start, writer) for start in some]
        for index, new in zip(batch, found, strict=True):
            written[index] = new
    return written


def generated(model: PreTrainedModel, starts: list[Start], writer: Writer) -> list[list[int]]:
    """Generate tokens with `generate` of transformers, padded on the left to the longest context."""
    length = max(len(start.context) for start in starts)
    rows = [[0] * (length - len(start.context)) + start.context for start in starts]
    mask = [[0] * (length - len(start.context)) + [1] * len(start.context) for start in starts]
    tokens, seen = (torch.tensor(values, device=model.device) for values in (rows, mask))
    lost: set[int] = set()
    most = max(map(writer.most_tokens, starts))
    how = GenerationConfig(do_sample=False, num_beams=1, max_new_tokens=most, pad_token_id=0)
    ended = StoppingCriteriaList([have_ended(starts, length, writer)])
    chosen = LogitsProcessorList([only_chosen(starts, length, writer, lost)])
    with plainly(model):
        output = model.generate(
            tokens, attention_mask=seen, generation_config=how, stopping_criteria=ended, logits_processor=chosen
        )
    found = []
    for place, (start, new) in enumerate(zip(starts, output[:, length:].tolist(), strict=True)):
        n_tokens = next((n for n in range(1, len(new)) if writer.is_over(start, new[:n])), len(new))
        found.append([NO_TOKEN] if place in lost else new[:n_tokens])
    return found


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


@contextmanager
def plainly(model: PreTrainedModel) -> Iterator[None]:
    """Switch off settings of generation_config.json for a while, such as repetition penalties or sampling."""
    before = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = before


def written_anew(model: PreTrainedModel, start: Start, writer: Writer) -> list[int]:
    """Generate with one pass over the whole text per token: slow, and right for every model."""
    new: list[int] = []
    while not new or not writer.is_over(start, new):
        text = torch.tensor([start.context + new], device=model.device)
        new += writer.choose(model(input_ids=text, use_cache=False).logits[:, -1], [(start, new)])
    return new
