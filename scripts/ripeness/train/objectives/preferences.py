"""Preferences from pairs of answers: DPO, IPO, KTO, SimPO and ORPO.

x is the prompt, y+ and y- are the better and the worse answer, r = log p(y|x) - log p_start(y|x). The log-probabilities
of the start are taken once before the first step, so that no second model is in memory.

- dpo: -log sigmoid(beta (r+ - r-)); Rafailov et al. 2023, arXiv 2305.18290.
- ipo: (r+/n+ - r-/n- - 1/(2 beta))^2 with n tokens; Azar et al. 2023, arXiv 2310.12036.
- kto: 1 - sigmoid(beta (r+ - z)) and 1 - sigmoid(beta (z - r-)), the mean over all answers; z is an estimate of the KL
  to the start on answers of other prompts, at least 0; Ethayarajh et al. 2024, arXiv 2402.01306.
- simpo: -log sigmoid(beta (log p+/n+ - log p-/n-) - gamma); Meng et al. 2024, arXiv 2405.14734.
- orpo: the loss of the better answers, less beta log sigmoid(log odds+ - log odds-) of probabilities per token; Hong et
  al. 2024, arXiv 2403.07691.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from transformers import PreTrainedTokenizerBase

from ripeness.stats.finite import finite
from ripeness.study.objectives.preferences import REFERENCE, PreferenceGoal
from ripeness.train.objectives.objective import Objective
from ripeness.train.objectives.pairs import Pair, cycled, pairs_of
from ripeness.train.reading import Room, Unit, counts, token_logps

MOST_PAIRS = 512  # that the result is compared on
SURE = -1e-6  # nats per token, above which odds cannot be distinguished
FEW = 0.1  # share of pairs
COLLAPSE = 1.0  # nats per token, by which both answers fell where nursery models came to write neither of them


class Preferences(Objective[Pair]):
    """What learning preferences lowers: a loss of pairs."""

    def __init__(self, goal: PreferenceGoal) -> None:
        """Keep the settings."""
        self.goal, self.kl, self.n_chosen, self.most = goal, 0.0, 0, 0
        self.start: dict[int, list[float]] = {}  # log-probabilities of both answers, by the place of the pair
        self.start_cycled: list[float] = []  # the mean of answers after other prompts, by the step
        self.before, self.after = PairSummary(), PairSummary()

    def units(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, *, max_length: int, n_before: int = 0
    ) -> Sequence[Unit]:
        """Make a pair of each row."""
        return pairs_of(rows, tokenizer, max_length=max_length)

    def longest(self, planned: Sequence[Sequence[Pair]]) -> int:
        """Return the length of the longest sequence that will be read; answers after other prompts are cut there."""
        self.most = super().longest(planned)
        return self.most

    def begin(self, planned: list[list[Pair]], room: Room) -> None:
        """Take the log-probabilities of the start."""
        self.pairs = sorted({pair.place: pair for batch in planned for pair in batch}.values(), key=place_of)
        found = sums_of(self.pairs, room)
        if self.goal.loss in REFERENCE:
            self.start = {pair.place: sums for pair, sums in zip(self.pairs, found, strict=True)}
        if self.goal.loss == "kto":
            self.start_cycled = [mean_of_cycled(batch, room, self.most) for batch in planned]
        self.before = summary_of(self.pairs, found)

    def before_step(self, step: int, batch: list[Pair], room: Room) -> list[Pair]:
        """Estimate the KL to the start, where the loss has it."""
        if self.goal.loss == "kto":
            self.kl = max(0.0, mean_of_cycled(batch, room, self.most) - self.start_cycled[step])
        return batch

    def size(self, batch: list[Pair]) -> float:
        """Return how many pairs there are; for ORPO, count the tokens of their better answers."""
        self.n_chosen = sum(counts([pair.chosen for pair in batch]))
        return len(batch)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, row: list[Pair], size: float) -> torch.Tensor:
        """Compute the share of the loss that some pairs have."""
        logps = token_logps(logits, targets)
        lengths = counts([answer for pair in row for answer in pair.answers])
        sums = torch.stack([part.sum() for part in logps.split(lengths)]).view(-1, 2)
        means = sums / sums.new_tensor(lengths).view(-1, 2)
        if self.goal.loss == "orpo":
            means = means.clamp(max=SURE)
            odds = means - torch.log(-torch.expm1(means))
            ratios = logsigmoid(odds[:, 0] - odds[:, 1])
            return -sums[:, 0].sum() / self.n_chosen - self.goal.beta * ratios.sum() / size
        if self.goal.loss == "simpo":
            return -logsigmoid(self.goal.beta * (means[:, 0] - means[:, 1]) - (self.goal.gamma or 0.0)).sum() / size
        gains = sums - sums.new_tensor([self.start[pair.place] for pair in row])
        return self.losses(gains, sums.new_tensor(lengths).view(-1, 2)).sum() / size

    def losses(self, gains: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each pair from what its answers, (n, 2), have gained over the start."""
        beta = self.goal.beta
        if self.goal.loss == "ipo":
            gains = gains / lengths
            return (gains[:, 0] - gains[:, 1] - 1 / (2 * beta)) ** 2
        if self.goal.loss == "kto":  # the mean over both answers
            better, worse = beta * (gains[:, 0] - self.kl), beta * (self.kl - gains[:, 1])
            return 1 - (better.sigmoid() + worse.sigmoid()) / 2
        return -logsigmoid(beta * (gains[:, 0] - gains[:, 1]))

    def end(self, room: Room) -> None:
        """Compare the result with the start."""
        some = spread(self.pairs)
        self.after = summary_of(some, sums_of(some, room))

    def record(self) -> dict[str, Any]:
        """Return what the start and the result give to both answers of training pairs, and warnings."""
        after = self.after if self.after.preferred is not None else None
        found = {"start": asdict(self.before)} | ({"result": asdict(after)} if after else {})
        return {"pairs": found, "warnings": warnings_of(self.before, after)}


@dataclass(frozen=True)
class PairSummary:
    """What a model gives to training pairs: the share of which the better answer is more probable, and the mean
    log-probability per token (nats) of better and of worse answers."""

    preferred: float | None = None
    chosen_logp: float | None = None
    rejected_logp: float | None = None


def place_of(pair: Pair) -> int:
    """Return the place of a pair."""
    return pair.place


def spread(pairs: list[Pair]) -> list[Pair]:
    """Take at most so many pairs, evenly."""
    return pairs[:: max(1, -(-len(pairs) // MOST_PAIRS))]


def sums_of(pairs: list[Pair], room: Room) -> list[list[float]]:
    """Compute the log-probabilities of both answers of pairs."""
    answers = [answer for pair in pairs for answer in pair.answers]
    found = room.each(answers, token_logps)
    sums = [logps.sum().item() for logps in found]
    return [sums[place : place + 2] for place in range(0, len(sums), 2)]


def mean_of_cycled(batch: list[Pair], room: Room, longest: int) -> float:
    """Compute the mean log-probability of the answers of a batch, each after the prompt of another pair."""
    found = room.each(list(cycled(batch, longest)), token_logps)
    return sum(logps.sum().item() for logps in found) / len(found)


def summary_of(pairs: list[Pair], sums: list[list[float]]) -> PairSummary:
    """Summarise the log-probabilities of both answers of pairs."""
    n_tokens = [counts(pair.answers) for pair in pairs]
    means = [sum(one[side] / n[side] for one, n in zip(sums, n_tokens, strict=True)) / len(pairs) for side in (0, 1)]
    return PairSummary(sum(better > worse for better, worse in sums) / len(pairs), *map(finite, means))


def warnings_of(before: PairSummary, after: PairSummary | None) -> list[str]:
    """Say what makes a result doubtful: a start without the better answers, or a collapse of both answers."""
    found = []
    if before.preferred is not None and before.preferred < FEW:
        found.append(
            f"the start gives the better answer more probability in {before.preferred:.0%} of the pairs only; what it "
            "hardly ever says can hardly be preferred"
        )
    better = lost(before.chosen_logp, after.chosen_logp) if after else 0.0
    worse = lost(before.rejected_logp, after.rejected_logp) if after else 0.0
    if min(better, worse) >= COLLAPSE:
        found.append(
            f"both answers became improbable: better ones lost {better:.2g} and worse ones {worse:.2g} nats per token "
            "against the start, so that the model says something else"
        )
    return found


def lost(start: float | None, end: float | None) -> float:
    """Return how far a log-probability fell; without end where it is no number, or minus infinity."""
    return math.inf if end is None else (start or 0.0) - end
