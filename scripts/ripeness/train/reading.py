"""How a training reads answers: logits of their tokens, many answers in one row."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol, TypeVar

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from ripeness.models.batching import IGNORED, Example, padded, rows_of, shared_tokens
from ripeness.models.context_limits import text_config
from ripeness.models.forward.packed_attention import packed_logits
from ripeness.models.forward.packing import narrows_exactly
from ripeness.models.forward.padding import reads_together
from ripeness.models.forward.transfer import to_device
from ripeness.models.load import autocast, resolve_precision
from ripeness.models.sharding import n_processes
from ripeness.runtime.errors import UserError

AT_ONCE = 256  # sequences that are arranged in rows together; the time that takes grows with the square
Read = TypeVar("Read")


class Unit(Protocol):
    """What is drawn into batches, and read in one row: one answer, or several whose loss is one."""

    @property
    def tokens(self) -> list[int]:
        """All its tokens, whose number says how much of a row it takes."""

    @property
    def answers(self) -> list[Example]:
        """The sequences that are read, of which nothing but the targets is asked."""


SomeUnit = TypeVar("SomeUnit", bound=Unit)


@dataclass(frozen=True)
class Reading:
    """A model and how it is read: the token that pads, whether sequences are packed, and the precision."""

    model: PreTrainedModel
    pad: int
    is_packed: bool
    precision: str

    def logits(self, answers: list[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute logits (N, V) of the N targets of some sequences, in their order, and these targets (N,).

        A model that reads no sequences side by side reads one after the other.
        """
        parts = [[answer] for answer in answers] if self.is_apart(answers) else [answers]
        with autocast(self.model.device, resolve_precision(self.precision, self.model.device)):
            found = [answer_logits(self.model, part, pad=self.pad, is_packed=self.is_packed) for part in parts]
        if len(found) == 1:
            return found[0]
        return torch.cat([logits for logits, _ in found]), torch.cat([targets for _, targets in found])

    def is_apart(self, answers: list[Example]) -> bool:
        """Tell whether sequences change each other where they are read side by side."""
        return not self.is_packed and not reads_together(self.model, max(len(answer.tokens) for answer in answers))

    @torch.no_grad()
    def each(
        self, answers: list[Example], row_tokens: int, of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> list[torch.Tensor]:
        """Compute what is made of the logits of each sequence and its targets, on the CPU, without dropout."""
        found: dict[int, torch.Tensor] = {}
        is_training = self.model.training
        self.model.eval()
        for row in rows_of(answers, row_tokens):
            values = of(*self.logits(row)).cpu()
            found |= {id(answer): part for answer, part in zip(row, values.split(counts(row)), strict=True)}
        self.model.train(is_training)
        return [found[id(answer)] for answer in answers]

    def logps(self, answers: list[Example], row_tokens: int) -> list[torch.Tensor]:
        """Compute the log-probability (nats) of each target of each sequence, on the CPU, without dropout."""
        return self.each(answers, row_tokens, token_logps)


def token_logps(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Compute the log-probability (nats) of each target, (N,), from logits (N, V)."""
    return -cross_entropy(logits.float(), targets, reduction="none")


@dataclass
class Room:
    """How many tokens are read at once: fewer from when the GPU's memory did not do."""

    reading: Reading
    row_tokens: int

    def read(self, compute: Callable[[Reading, int], Read], units: list[Unit]) -> Read:
        """Compute what is made of some units, again and again in smaller rows while the GPU's memory does not do."""
        while True:
            try:
                return compute(self.reading, self.row_tokens)
            except torch.OutOfMemoryError:
                if n_processes() > 1:  # the others wait for this one in the middle of a pass
                    raise
                # until here the error holds what the failed pass has made
            self.row_tokens = fewer_tokens(units, self.row_tokens)
            self.reading.model.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()

    def each(
        self, answers: list[Example], of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> list[torch.Tensor]:
        """Compute what is made of the logits of each of many sequences and its targets, see `Reading.each`."""
        found = []
        for start in range(0, len(answers), AT_ONCE):
            part = answers[start : start + AT_ONCE]
            found += self.read(partial(each_of, answers=part, of=of), list(part))
        return found


def each_of(
    reading: Reading,
    row_tokens: int,
    *,
    answers: list[Example],
    of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> list[torch.Tensor]:
    """Compute what is made of each sequence, with so many tokens in a row."""
    return reading.each(answers, row_tokens, of)


def fewer_tokens(units: list[Unit], row_tokens: int) -> int:
    """Half the tokens of the longest row of a batch that did not fit; UserError if that was a single example."""
    rows = rows_of(units, row_tokens)
    longest = max(sum(len(unit.tokens) for unit in row) for row in rows)
    if len(rows) == len(units):
        raise UserError(
            f"the GPU has no memory for one example of {longest} tokens\n"
            "hint: leave long items out with `max_characters`, or take a GPU with more memory"
        )
    logging.warning("out of memory: from now on at most %d tokens at once instead of %d", longest // 2, longest)
    return longest // 2


def counts(answers: list[Example]) -> list[int]:
    """Count the targets of each sequence."""
    return [len(answer.targets[1:]) - answer.targets[1:].count(IGNORED) for answer in answers]


def answer_logits(
    model: PreTrainedModel, row: list[Example], *, pad: int, is_packed: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of the N answer tokens of some examples, (N, V), and these tokens, (N,)."""
    if is_packed:
        n_shared = shared_tokens(row, text_config(model.config).hidden_size) if may_share(model) else 0
        row = [row[0], *(Example(example.tokens[n_shared:], example.targets[n_shared:]) for example in row[1:])]
        targets = [target for example in row for target in (*example.targets[1:], IGNORED)]
        targets = torch.tensor(targets)  # position t predicts token t+1; on the CPU, where nobody waits for them
        positions = (targets != IGNORED).nonzero()[:, 0]
        sequences, is_narrow = [example.tokens for example in row], narrows_exactly(model) and runs_every_layer(model)
        logits = packed_logits(model, sequences, positions, n_shared, is_narrow=is_narrow)
        return logits, to_device(targets[positions], model.device)
    tokens, targets = padded(row, pad=pad)  # (B, T) each
    # no attention mask: padding stands on the right, where causal attention does not look
    logits = model(input_ids=to_device(tokens, model.device), use_cache=False).logits
    rows, columns = (targets[:, 1:] != IGNORED).nonzero(as_tuple=True)
    asked = targets[rows, columns + 1]
    rows, columns, asked = (to_device(places, model.device) for places in (rows, columns, asked))
    return logits[rows, columns], asked


def runs_every_layer(model: PreTrainedModel) -> bool:
    """Return whether a pass runs all layers: not where some, perhaps the last, are left out by chance in training."""
    return not (model.training and getattr(text_config(model.config), "layerdrop", 0))


@lru_cache(maxsize=1)
def may_share(model: PreTrainedModel) -> bool:
    """Whether what is read once stands for each that begins with it: not where some of it is dropped by chance."""
    modules = any(module.p for module in model.modules() if isinstance(module, torch.nn.Dropout))
    config = text_config(model.config)
    inside = any(
        getattr(config, name, 0) for name in ("attention_dropout", "attention_probs_dropout_prob", "attn_pdrop")
    )
    return not modules and not inside
