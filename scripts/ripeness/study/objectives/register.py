"""List what can be learned, by name."""

from ripeness.study.methods.settings import ANSWERS, TEXT
from ripeness.study.objectives.goal import Learned
from ripeness.study.objectives.policy import POLICY_LEARNED
from ripeness.study.objectives.preferences import PREFERENCES_LEARNED
from ripeness.study.objectives.reward import REWARD_LEARNED

# The rules take the digest of the code of what a cell learns, so that another thing to learn reruns nothing.
NEUTRAL = True

LEARNED: dict[str, Learned] = {
    learned.name: learned
    for learned in (
        PREFERENCES_LEARNED,
        REWARD_LEARNED,
        POLICY_LEARNED,
    )
}

# Everything that `learns` may be, with what it is.
LEARNS: dict[str, str] = {
    ANSWERS: "those of the dataset, after its prompts",
    TEXT: "continued pre-training on the file `text`, once for all datasets and formats",
} | {name: learned.means for name, learned in LEARNED.items()}
