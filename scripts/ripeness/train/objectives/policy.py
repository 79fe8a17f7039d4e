"""Ask a policy the items of a task: where its texts start and end, and what rewards them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.chat import chat_contexts, chat_prompt, turn_end
from ripeness.models.forward.rewards import rewards
from ripeness.models.load import load_model
from ripeness.models.next_token import Sampling, Stopping
from ripeness.models.reward import read_reward
from ripeness.models.token_healing import beginnings, starts
from ripeness.models.tokens import contexts_of, end_of_text, end_tokens
from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types
from ripeness.runtime.wording import hint
from ripeness.study.methods.settings import RULE
from ripeness.study.objectives.policy import PolicyGoal
from ripeness.study.scoring.metrics import GENERATION, primary_metrics
from ripeness.study.scoring.rules import Rule
from ripeness.train.objectives.drawn_texts import Drawing, Question
from ripeness.train.objectives.held_out import Asked
from ripeness.train.objectives.policy_objective import Policy
from ripeness.train.objectives.rewards import Rewards

BATCH_TOKENS = 4096  # tokens that a reward model reads at once
METRICS = primary_metrics(GENERATION)  # of which each may be a rule


@dataclass(frozen=True)
class TaskRule:
    """What a task says of texts: how long they are, what ends them, and by which rule they are rewarded, if any."""

    max_new_tokens: int
    stop: str = ""
    metric: str | None = None
    words: str = "english"
    extract: str | None = None
    patterns: list[Any] = field(default_factory=list)

    @property
    def rule(self) -> Rule | None:
        """Return the rule; None where the task has none."""
        if self.metric is None and not self.patterns:
            return None
        return Rule(self.metric or "", self.words, self.extract, tuple(map(tuple, self.patterns)))


@dataclass(frozen=True)
class RewardModel:
    """The reward model in a folder, which is loaded when the first texts are rewarded."""

    folder: Path

    @cached_property
    def model(self) -> PreTrainedModel:
        """Load the model."""
        return load_model(self.folder).eval()

    def __call__(self, texts: list[list[int]]) -> list[float]:
        """Return the reward of each whole text."""
        return rewards(self.model, read_reward(self.folder), texts, batch_tokens=BATCH_TOKENS).tolist()


def task_rule(given: dict[str, Any]) -> TaskRule:
    """Return the rule of a task from a JSON object; UserError for what is none."""
    known = [one.name for one in fields(TaskRule)]
    if unknown := sorted(given.keys() - set(known)):
        near = hint(unknown[0], known, otherwise=f"known are {', '.join(known)}")
        raise UserError(f"--rule: unknown {', '.join(unknown)}\n{near}")
    if "max_new_tokens" not in given:
        raise UserError("--rule: missing 'max_new_tokens'\nhint: the most tokens of a text")
    check_types("--rule", TaskRule, given)
    if (metric := given.get("metric")) not in [None, *METRICS]:
        near = hint(metric, METRICS, otherwise=f"known are {', '.join(METRICS)}")
        raise UserError(f"--rule: unknown metric {metric!r}\n{near}")
    return TaskRule(**given)


def policy_of(goal: PolicyGoal, *, seed: int, batch_size: int, held_out: list[dict[str, Any]], **asked: Any) -> Policy:
    """Return what a policy lowers, which knows what it is asked; for `asked` see `asked_of`."""
    found = asked_of(
        sampling=Sampling(goal.temperature, goal.top_p),
        ranked_by=goal.reward,
        rule_share=goal.rule_share or 0.0,
        held_out=held_out if goal.tries else [],
        **asked,
    )
    return Policy(goal, found, seed=seed, batch_size=batch_size)


def asked_of(
    *,
    rule: dict[str, Any],
    rows: list[dict[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    checkpoint: Path,
    reward: Path | None,
    room: int,
    ranked_by: str,
    rule_share: float = 0.0,
    sampling: Sampling | None = None,
    held_out: Sequence[dict[str, Any]] = (),
) -> Asked:
    """Return what a model is asked that draws texts; `room` is how many tokens the model reads at once.

    UserError where nothing says what texts are worth.
    """
    task = task_rule(rule)
    if task.rule is None and (ranked_by == RULE or rule_share):
        raise UserError(
            "the task has no rule that gives a text its reward\n"
            "hint: give it `reward`, or name the method of a reward model instead of `rule`"
        )
    texts, tokens = [task.stop], end_tokens(checkpoint)
    if rows and rows[0].get("turns"):
        turn = turn_end(tokenizer)
        texts.append(turn.text)
        tokens |= set() if turn.token is None else {turn.token}
    stopping = Stopping(task.max_new_tokens, tuple(filter(None, texts)), tokens)
    drawing = Drawing(tokenizer, stopping, sampling or Sampling())
    model = RewardModel(reward) if reward else None
    given = Rewards(task.rule, model, rule_share, end_of_text(tokenizer))
    begun = beginnings(row["target"] for row in rows)
    asked = (questions_of(part, tokenizer, begun, room - task.max_new_tokens) for part in (rows, held_out))
    return Asked(drawing, given, *asked)


def questions_of(
    rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, begun: tuple[str, ...], room: int
) -> list[Question]:
    """Find where the text after each prompt starts, if answers begin in these ways; UserError where it does not fit."""
    is_chat = bool(rows and rows[0].get("turns"))
    prompts = [chat_prompt(tokenizer, row["turns"]) if is_chat else row["prompt"] for row in rows]
    found = starts(tokenizer, prompts, begun)
    contexts = (chat_contexts if is_chat else contexts_of)(tokenizer, [start.context for start in found])
    for row, context, start in zip(rows, contexts, found, strict=True):
        if len(context) + start.n_again > room:
            raise UserError(
                f"item {row['item']!r} has {len(context)} tokens, and the model has room for {room} before a text\n"
                "hint: leave long items out with `max_characters`, or lower `max_new_tokens` in the task file"
            )
    return [
        Question(replace(start, context=context), row)
        for row, context, start in zip(rows, contexts, found, strict=True)
    ]
