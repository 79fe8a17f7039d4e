"""A reward model: a number at the end of each answer, by which the better of two leads (Bradley & Terry 1952).

The loss of a pair is -log sigmoid(reward+ - reward-), as in Ouyang et al. 2022 (arXiv 2203.02155). The reward is a
linear function of the last state at the token that ends the answer. It starts at zero, where all answers are equal.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.batching import IGNORED, Example
from ripeness.models.forward.state_outputs import Said, width_of_states
from ripeness.models.methods.attached import State
from ripeness.models.methods.head import weights_of_its_own
from ripeness.models.reward import WEIGHT
from ripeness.models.tokens import end_of_text
from ripeness.study.objectives.reward import RewardGoal
from ripeness.train.objectives.objective import Objective
from ripeness.train.objectives.pairs import Pair, pairs_of
from ripeness.train.reading import Room, Unit

LAYER = "reward_layer"  # the name of the layer among the modules of a model that is trained
SURE = 1.645  # standard errors above chance


class Reward(Objective[Pair]):
    """What a reward model lowers: the loss of which answer of a pair is the better one."""

    def __init__(self, goal: RewardGoal) -> None:
        """Take no settings."""
        self.accuracy: float | None = None
        self.n_pairs = 0

    def units(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, *, max_length: int, n_before: int = 0
    ) -> Sequence[Unit]:
        """Make a pair of each row, of which nothing but the last tokens is asked."""
        return at_ends(pairs_of(rows, tokenizer, max_length=max_length), end_of_text(tokenizer))

    def attach(self, model: PreTrainedModel, n_steps: int) -> None:
        """Have the model say a reward in place of its words; its own output layer stays as it is."""
        layer = torch.nn.utils.skip_init(torch.nn.Linear, width_of_states(model), 1, bias=False)
        torch.nn.init.zeros_(layer.weight)
        self.own = [weight for weight in weights_of_its_own(model) if weight.requires_grad]
        for weight in self.own:
            weight.requires_grad_(False)
        self.said = Said(model, layer)
        self.layer = layer.to(model.device)
        model.add_module(LAYER, self.layer)

    def merge(self, model: PreTrainedModel) -> State:
        """Let the model say its words again, and return the weight of the reward."""
        self.said.end()
        delattr(model, LAYER)
        for weight in self.own:
            weight.requires_grad_(True)
        return {WEIGHT: self.layer.weight.detach().cpu()[0].clone()}

    def begin(self, planned: list[list[Pair]], room: Room) -> None:
        """See all pairs."""
        self.pairs = list({pair.place: pair for batch in planned for pair in batch}.values())

    def size(self, batch: list[Pair]) -> float:
        """Return how many pairs there are."""
        return len(batch)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, row: list[Pair], size: float) -> torch.Tensor:
        """Compute the share of the loss that some pairs have, of the rewards (2 n, 1) of their answers."""
        better, worse = logits.float().view(-1, 2).unbind(1)
        return -logsigmoid(better - worse).sum() / size

    def end(self, room: Room) -> None:
        """Count the training pairs whose better answer has the higher reward."""
        answers = [answer for pair in self.pairs for answer in pair.answers]
        found = torch.cat(room.each(answers, first_of)).view(-1, 2)
        self.n_pairs, self.accuracy = len(self.pairs), (found[:, 0] > found[:, 1]).double().mean().item()

    def record(self) -> dict[str, Any]:
        """Return the share of training pairs that are right, with a warning where it is that of guessing."""
        if self.accuracy is None:
            return {"warnings": []}
        bound = 0.5 + SURE * (0.25 / self.n_pairs) ** 0.5
        said = (
            f"the reward model is right on {self.accuracy:.0%} of its own {self.n_pairs} training pairs, as by guessing"
        )
        return {"reward_accuracy": self.accuracy, "warnings": [said] if self.accuracy < bound else []}


def first_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the rewards (N,) among logits (N, 1)."""
    return logits[:, 0].float()


def at_ends(pairs: Sequence[Pair], pad: int) -> list[Pair]:
    """Make pairs of which nothing is asked but what is said at the last token of each answer.

    The token after it is never looked at.
    """
    return [replace(pair, chosen=at_end(pair.chosen, pad), rejected=at_end(pair.rejected, pad)) for pair in pairs]


def at_end(answer: Example, pad: int) -> Example:
    """Make an example of which the place after its last token is asked."""
    return Example([*answer.tokens, pad], [*[IGNORED] * len(answer.tokens), 0])
