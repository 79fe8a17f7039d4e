"""Hold a model near the checkpoint that it is tuned from: L2-SP, regularisation towards the starting point.

Li, Grandvalet and Davoine 2018, arXiv 1802.01483: the penalty pull / 2 * |w - w0|^2 over all weights w, which all start
at w0 (their form for layers that have a start), is part of the loss. Its gradient, pull * (w - w0), so passes through
clipping and through Adam's moments, as that of the answers does; weight decay by AdamW does not.
"""

import torch
from transformers import PreTrainedModel

from ripeness.study.methods.pull import Pulled
from ripeness.study.methods.settings import TrainingSettings


def starting_point(model: PreTrainedModel, settings: TrainingSettings) -> list[torch.Tensor]:
    """Return a copy of the weights that a model is pulled to; none where it is not."""
    return [weight.detach().clone() for weight in model.parameters()] if pull_of(settings) else []


def pull_of(settings: TrainingSettings) -> float:
    """Return the strength of the pull; 0 for none, and for kinds that have none."""
    return (settings.pull or 0.0) if isinstance(settings, Pulled) else 0.0


def clip_gradient(weights: list[torch.Tensor], start: list[torch.Tensor], settings: TrainingSettings) -> torch.Tensor:
    """Add the pull to the gradient, and shorten this to `clip`; the norm of what the examples alone gave."""
    if not start:
        return torch.nn.utils.clip_grad_norm_(weights, settings.clip)
    norm = torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    for weight, origin in zip(weights, start, strict=True):
        if weight.grad is not None:
            weight.grad.add_(weight.detach() - origin, alpha=pull_of(settings))
    torch.nn.utils.clip_grad_norm_(weights, settings.clip)
    return norm
