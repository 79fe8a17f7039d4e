"""What a training lowers, and the one that most lower: the cross-entropy of answers."""

import math
from collections.abc import Sequence
from typing import Any, Generic

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.batching import encode_examples
from ripeness.models.methods.attached import State
from ripeness.train.reading import Room, SomeUnit, Unit, counts


class Objective(Generic[SomeUnit]):
    """What a training lowers. This one is the mean loss of answer tokens, in nats.

    Another one overrides what differs. The loop calls `attach`, `begin`, then for each step `before_step`, `size` and
    `loss` of each row of the batch, and at last `end` and `merge`. A training that is resumed calls `begin` too, with
    the model that it started from, and then leaves out the steps that were taken. So what decides a later step, or is
    recorded, is a function of the start and the step, or a weight or buffer of a module that `attach` adds to the
    model: these are saved.
    """

    def units(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, *, max_length: int, n_before: int = 0
    ) -> Sequence[Unit]:
        """Make what is drawn into batches of a dataset's rows; UserError for rows that cannot be learned from.

        It is read in a window after `n_before` virtual tokens.
        """
        texts = [(row["item"], row.get("turns") or row["prompt"], row["target"]) for row in rows]
        return encode_examples(texts, tokenizer, max_length=max_length, n_before=n_before)

    def attach(self, model: PreTrainedModel, n_steps: int) -> None:
        """Put into a model what this needs in addition to what its kind has put there; the optimizer trains it too."""

    def merge(self, model: PreTrainedModel) -> State | None:
        """Take it out again, and return what was learned in it; None for nothing."""
        return None

    def longest(self, planned: Sequence[Sequence[SomeUnit]]) -> int:
        """Return the length of the longest sequence that will be read."""
        return max(len(answer.tokens) for batch in planned for unit in batch for answer in unit.answers)

    def begin(self, planned: list[list[SomeUnit]], room: Room) -> None:
        """See all batches, and the model as it is before the first step.

        `room.read(compute, units)` calls `compute` with a `Reading` and how many tokens are read at once.
        """

    def before_step(self, step: int, batch: list[SomeUnit], room: Room) -> list[SomeUnit]:
        """Return what a step reads in the place of its batch; that itself for most."""
        return batch

    def size(self, batch: list[SomeUnit]) -> float:
        """Return what the sum of a batch's losses is divided by: how many there are."""
        return sum(sum(counts(unit.answers)) for unit in batch)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, row: list[SomeUnit], size: float) -> torch.Tensor:
        """Compute the share of a batch's loss that some of its units have, which are read in one row.

        Logits (N, V) and targets (N,) are those of all their answers, in this order.
        """
        return cross_entropy(logits.float(), targets, reduction="sum") / size

    def has_diverged(self, losses: list[float], n_words: int) -> bool:
        """Tell whether the last loss is above the first by twice that of guessing evenly among so many words."""
        return losses[-1] > 2 * math.log(n_words) + losses[0]

    def is_lost(self, norm: torch.Tensor, loss: float) -> bool:
        """Tell whether nothing is learned any more although there is much to learn: a gradient of exactly zero."""
        return bool(norm == 0 and loss > 0)

    def end(self, room: Room) -> None:
        """See the model after the last step; not where it has diverged."""

    def record(self) -> dict[str, Any]:
        """Return what the record of the training says in addition."""
        return {}


ANSWERS: Objective[Any] = Objective()  # it has no state of its own
