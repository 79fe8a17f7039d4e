"""List what lowers a loss for each thing that can be learned, by the class of its settings."""

from collections.abc import Callable, Mapping
from typing import Any

from ripeness.study.objectives.goal import Goal
from ripeness.study.objectives.policy import PolicyGoal
from ripeness.study.objectives.preferences import PreferenceGoal
from ripeness.study.objectives.reward import RewardGoal
from ripeness.train.objectives import own_pairs, policy, reward
from ripeness.train.objectives.objective import ANSWERS, Objective

# The rules take the digest of the code of what a cell learns, so that another thing to learn reruns nothing.
NEUTRAL = True

OBJECTIVES: dict[type[Goal], Callable[..., Objective[Any]]] = {
    PreferenceGoal: own_pairs.preferences_of,
    RewardGoal: reward.Reward,
    PolicyGoal: policy.policy_of,
}


def objective_of(goal: Goal | None, asked: Mapping[str, Any] | None = None) -> Objective[Any]:
    """Return what a training lowers; the loss of answers, or of a text, where nothing else is learned.

    `asked` is what a training that draws texts must know of its task; nothing for all else.
    """
    return ANSWERS if goal is None else OBJECTIVES[type(goal)](goal, **(asked or {}))
