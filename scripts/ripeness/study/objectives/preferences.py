"""Define what preferences are learned by: DPO, IPO, KTO, SimPO or ORPO, from pairs of a better and a worse answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.settings import PREFERENCES, REWARD_MODEL, RULE, Reference
from ripeness.study.objectives.goal import Goal, Learned

PAIRS = "pairs of a better and a worse answer: a task of kind preference, or a choice, whose right option is the better"
REFERENCE = ("dpo", "ipo", "kto")  # losses that compare a model with its start


@dataclass(frozen=True, kw_only=True)
class PreferenceGoal(Goal):
    """Settings of learning preferences; `gamma` is SimPO's alone, `pairs` RULE or the method of a reward model."""

    loss: Literal["dpo", "ipo", "kto", "simpo", "orpo"]
    beta: float
    gamma: float | None = None
    pairs: str | None = None


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse a margin of another loss than SimPO, SimPO without one, and KTO on single pairs."""
    if (given["loss"] == "simpo") != ("gamma" in given):
        way = "e.g. gamma: 0.5" if given["loss"] == "simpo" else "leave `gamma` out"
        raise UserError(f"{where}: `gamma` and loss simpo go together; the loss is {given['loss']}\nhint: {way}")
    if given["loss"] == "kto" and given.get("batch_size", 2) < 2:
        raise UserError(
            f"{where}: loss kto reads answers of a batch after prompts of other pairs in it, and batch_size is 1\n"
            "hint: set batch_size to 2 or more"
        )


def models_read(given: Mapping[str, Any]) -> list[Reference]:
    """Return the method of the reward model that ranks drawn texts, if there is one."""
    return [] if given.get("pairs") in (None, RULE) else [Reference(REWARD_MODEL, given["pairs"], key="pairs")]


PREFERENCES_LEARNED = Learned(
    PREFERENCES,
    "the better of two answers, with `loss`",
    PreferenceGoal,
    kinds=("preference", "choice"),
    needs=PAIRS,
    keys={
        "loss": {
            "description": (
                "Loss of a pair of answers. dpo (Rafailov et al. 2023), ipo (Azar et al. 2023; per token) and kto "
                "(Ethayarajh et al. 2024) compare the model with its start; simpo (Meng et al. 2024) and orpo (Hong et "
                "al. 2024) do not."
            )
        },
        "beta": {
            "description": (
                "Factor of the loss. dpo, kto: how close the model stays to its start. ipo: tau of the paper. simpo: "
                "scale of the log-probability per token. orpo: weight of the odds ratio, added to the loss of better "
                "answers."
            ),
            "exclusiveMinimum": 0,
            "maximum": 1000,
        },
        "gamma": {
            "description": "Margin by which the better answer leads, with loss simpo.",
            "minimum": 0,
            "maximum": 1000,
        },
        "pairs": {
            "description": (
                "Learns from two texts that the start draws after each prompt, instead of the answers of the dataset. "
                "`rule`: the one with the higher reward by the rule of the task is the better one, see `reward` "
                "of a policy. Any other word names a method that learns reward, which ranks them."
            ),
            "minLength": 1,
        },
    },
    example="loss: dpo and beta: 0.1",
    check=check,
    reads=models_read,
    drawn_kinds=("generation", "preference"),
)
