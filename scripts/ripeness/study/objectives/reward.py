"""Define what a reward model learns: a number at the end of an answer, higher for the better of two."""

from dataclasses import dataclass

from ripeness.study.methods.settings import REWARD
from ripeness.study.objectives.goal import Goal, Learned
from ripeness.study.objectives.preferences import PAIRS


@dataclass(frozen=True, kw_only=True)
class RewardGoal(Goal):
    """A reward model has no settings of its own."""


REWARD_LEARNED = Learned(
    REWARD,
    "a reward model, which gives each answer a number, higher for the better of two",
    RewardGoal,
    kinds=("preference", "choice"),
    needs=PAIRS,
    refused={
        "replay": "`replay` reads text by the model's output layer, in whose place a reward model has a reward\n"
        "hint: take out `replay`",
        "pull": "`pull` holds all weights near those of the checkpoint, but a reward has none there\n"
        "hint: take out `pull`",
    },
    has_reward=True,
)
