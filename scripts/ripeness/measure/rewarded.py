"""Options of a question as a reward model ranks them."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.measure.prompts import Prompt
from ripeness.models.chat import turn_end
from ripeness.models.forward.rewards import rewards
from ripeness.models.reward import has_reward, read_reward
from ripeness.models.tokens import end_of_text
from ripeness.runtime.errors import UserError


def asks_reward(model: PreTrainedModel, probe: dict[str, Any]) -> bool:
    """Return whether a probe asks for a reward; UserError where it does not say so of a reward model, whose words
    mean nothing."""
    is_pair = probe["kind"] in ("choice", "preference")
    if has_reward(Path(model.name_or_path)) and not (is_pair and probe.get("reward")):
        raise UserError(
            f"probe {probe['probe']!r} needs words, but a reward model no longer generates any\n"
            'hint: "reward": true for pairs of answers, or another model'
        )
    return is_pair and bool(probe.get("reward"))


def reward_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    prompts: list[Prompt],
    *,
    batch_tokens: int,
) -> list[dict[str, Any]]:
    """Compute for each option the log-probability (nats) that it is the best, after Bradley and Terry, as `logps`.

    That is the reward less the logarithm of the summed exponentials of all. An option ends as it does in training.
    """
    end = end_of_text(tokenizer)
    if rows and rows[0].get("turns") and (token := turn_end(tokenizer).token) is not None:
        end = token
    texts = [[*prompt.context, *answer, end] for prompt in prompts for answer in prompt.answers]
    found = rewards(model, read_reward(Path(model.name_or_path)), texts, batch_tokens=batch_tokens)
    parts = found.split([len(prompt.answers) for prompt in prompts])
    return [{"logps": torch.log_softmax(part, dim=-1).tolist()} for part in parts]
