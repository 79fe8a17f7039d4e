"""Rewards of whole texts: what a reward model says at their last token."""

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.last_states import last_states


def rewards(model: PreTrainedModel, weight: torch.Tensor, texts: list[list[int]], *, batch_tokens: int) -> torch.Tensor:
    """Compute the reward of n texts of tokens, each with the token that ends it: (n,) in double precision."""
    return last_states(model, texts, batch_tokens=batch_tokens).double() @ weight.double()
