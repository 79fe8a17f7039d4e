"""Define how a policy learns: from rewards of texts that the model draws itself, by GRPO, RLOO or PPO."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.settings import POLICY, REWARD_MODEL, RULE, Reference
from ripeness.study.objectives.goal import Goal, Learned


@dataclass(frozen=True, kw_only=True)
class PolicyGoal(Goal):
    """Settings of learning from rewards. `reward` is RULE, or names the method of a reward model."""

    reward: str
    kl_weight: float
    algorithm: Literal["grpo", "rloo", "ppo"] = "grpo"
    samples: int = 8
    temperature: float = 1.0
    top_p: float = 1.0
    clip_range: float = 0.2
    passes: int = 1
    max_kl: float = 2.0
    rule_share: float | None = None
    tries: int = 64


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse a share of the rule where there is no other reward, and a single text where others are needed."""
    if given["reward"] == RULE and "rule_share" in given:
        raise UserError(
            f"{where}.rule_share: the rule is all of the reward\n"
            "hint: leave the key out, or name the method of a reward model as `reward`"
        )
    if given.get("samples", PolicyGoal.samples) < 2 and given.get("algorithm", PolicyGoal.algorithm) != "ppo":
        raise UserError(
            f"{where}.samples: a text is compared with others after the same prompt, but there is only 1\n"
            "hint: samples: 2 or more, or algorithm: ppo"
        )


def models_read(given: Mapping[str, Any]) -> list[Reference]:
    """Return the method of the reward model, if there is one."""
    return [] if given["reward"] == RULE else [Reference(REWARD_MODEL, given["reward"])]


POLICY_LEARNED = Learned(
    POLICY,
    "texts that the model draws itself, by their `reward`",
    PolicyGoal,
    kinds=("generation", "preference"),
    needs="texts that are drawn and rewarded: a task of kind generation or preference",
    keys={
        "reward": {
            "description": (
                "What rewards the texts. `rule`: by the expressions under `reward` of the task, or else by its "
                "metric (exact_match, rouge_l). Any other word names a method that learns reward."
            ),
            "minLength": 1,
        },
        "rule_share": {
            "description": "Share of the rule in a reward that is also a reward model's: share * rule + (1 - "
            "share) * model.",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
        },
        "algorithm": {
            "description": (
                "How rewards change the model. grpo (Shao et al. 2024), rloo (Ahmadian et al. 2024), ppo (Schulman et "
                "al. 2017, with a layer of values)."
            )
        },
        "samples": {"description": "Texts that are drawn after each prompt in a round.", "minimum": 1, "maximum": 1024},
        "kl_weight": {
            "description": "Weight of the KL divergence to the start: in the loss (grpo), or subtracted from the "
            "reward (rloo, ppo).",
            "minimum": 0,
            "maximum": 1000,
        },
        "temperature": {
            "description": "Temperature at which texts are drawn, and whose probabilities are learned.",
            "exclusiveMinimum": 0,
            "maximum": 100,
        },
        "top_p": {
            "description": "Texts are drawn from the most probable tokens that together have this share.",
            "exclusiveMinimum": 0,
            "maximum": 1,
        },
        "clip_range": {
            "description": "Ratios of new to old probabilities are clipped to 1 minus and plus this.",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
        },
        "passes": {
            "description": "Steps of the optimizer that learn from the texts of one round.",
            "minimum": 1,
            "maximum": 100,
        },
        "max_kl": {
            "description": (
                "KL divergence of a round's texts to the start, in nats a token, above which a training has diverged."
            ),
            "exclusiveMinimum": 0,
            "maximum": 1000,
        },
        "tries": {
            "description": (
                "Texts that start and result draw after each of at most 100 test prompts, for pass@k, win rate, KL and "
                "how different they are; 0: none."
            ),
            "minimum": 0,
            "maximum": 1024,
        },
    },
    example="reward: rule and kl_weight: 0.05",
    refused={
        "pull": "`pull` holds the weights near those of the start, and `kl_weight` what the model says\n"
        "hint: take out `pull`",
        "replay": "`replay` is a share of examples, of which a policy has none\n"
        "hint: take out `replay`; `kl_weight` keeps the model near its start",
    },
    check=check,
    reads=models_read,
)
