"""Losses by which a policy learns from rewards: GRPO, RLOO and PPO, as functions of tensors.

Tokens of all texts lie in one row: `owners` says which text a token is of. Log-probabilities are in nats, `old` ones
those of the policy that drew the texts, those of the `reference` of the model at the start.
"""

import torch

LEAST_SPREAD = 1e-4  # is added to standard deviations, as trl has it
GAE = 0.95  # the lambda of generalised advantages, at a discount of 1
VALUE_WEIGHT = 0.1  # of the loss of values, that of the policy being 1, as InstructGPT and trl have it


def group_advantages(rewards: torch.Tensor) -> torch.Tensor:
    """Compute GRPO's advantages (P, n): rewards less the mean of a prompt's texts, over their standard deviation."""
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + LEAST_SPREAD)


def left_out_advantages(rewards: torch.Tensor) -> torch.Tensor:
    """Compute RLOO's advantages (P, n): rewards less the mean of those of a prompt's other texts."""
    n = rewards.shape[1]
    return rewards - (rewards.sum(1, keepdim=True) - rewards) / (n - 1)


def clipped_loss(log_ratios: torch.Tensor, advantages: torch.Tensor, clip_range: float) -> torch.Tensor:
    """Compute the loss of PPO for each ratio of probabilities, whose gain ends at 1 - and + the clip range."""
    ratios = log_ratios.exp()
    return -torch.min(ratios * advantages, ratios.clamp(1 - clip_range, 1 + clip_range) * advantages)


def nearness(logps: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Estimate the KL divergence to the reference at each token, never below 0 (Schulman's k3)."""
    return (reference - logps).exp() - (reference - logps) - 1


def sums_of(values: torch.Tensor, owners: torch.Tensor, n_texts: int) -> torch.Tensor:
    """Sum the values of each text's tokens."""
    return values.new_zeros(n_texts).index_add(0, owners, values)


def grpo_loss(
    logps: torch.Tensor,
    old: torch.Tensor,
    reference: torch.Tensor,
    advantages: torch.Tensor,
    owners: torch.Tensor,
    *,
    beta: float,
    clip_range: float,
) -> torch.Tensor:
    """Sum over texts of the mean loss of their tokens (Shao et al. 2024, arXiv 2402.03300); an advantage a text.

    The divergence counts by the ratio of probabilities, so that its gradient is that of the KL divergence
    (DeepSeek-V3.2, arXiv 2512.02556), as trl has it.
    """
    away = (logps - old).exp() * nearness(logps, reference)
    losses = clipped_loss(logps - old, advantages[owners], clip_range) + beta * away
    return (sums_of(losses, owners, len(advantages)) / owners.bincount(minlength=len(advantages))).sum()


def rloo_loss(
    logps: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, owners: torch.Tensor, *, clip_range: float
) -> torch.Tensor:
    """Sum over texts of their losses, by the ratio of whole texts (Ahmadian et al. 2024, arXiv 2402.14740)."""
    return clipped_loss(sums_of(logps - old, owners, len(advantages)), advantages, clip_range).sum()


def ppo_loss(
    logps: torch.Tensor,
    old: torch.Tensor,
    advantages: torch.Tensor,
    values: torch.Tensor,
    old_values: torch.Tensor,
    returns: torch.Tensor,
    *,
    clip_range: float,
) -> torch.Tensor:
    """Sum over tokens of the policy's loss and of that of values, which are clipped about the old ones."""
    near = torch.clamp(values, old_values - clip_range, old_values + clip_range)
    of_values = torch.max((values - returns) ** 2, (near - returns) ** 2) / 2
    return (clipped_loss(logps - old, advantages, clip_range) + VALUE_WEIGHT * of_values).sum()


def token_rewards(reward: float, old: torch.Tensor, reference: torch.Tensor, beta: float) -> torch.Tensor:
    """Compute PPO's reward of each token of one text: less KL to the reference, and the text's own at the last."""
    found = -beta * (old - reference)
    found[-1] += reward
    return found


def generalised_advantages(rewards: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Compute the advantage of each token of one text (Schulman et al. 2016, arXiv 1506.02438)."""
    errors = rewards + torch.cat([values[1:], values.new_zeros(1)]) - values
    found, later = torch.zeros_like(errors), errors.new_zeros(())
    for place in range(len(errors) - 1, -1, -1):
        later = errors[place] + GAE * later
        found[place] = later
    return found


def whitened(values: torch.Tensor) -> torch.Tensor:
    """Shift and scale values to a mean of 0 and a standard deviation of 1."""
    return (values - values.mean()) / (values.std() + LEAST_SPREAD)
