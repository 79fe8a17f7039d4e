"""A reward of answers: a linear function of a model's last state at the end of each, next to its own output layer."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from ripeness.models.forward.last_states import last_states
from ripeness.storage.arrays import open_tensors

FILE, WEIGHT = "reward.safetensors", "weight"
NAME = "reward_weight"  # the attribute of a model that has one


def write_reward(folder: Path, weight: torch.Tensor) -> None:
    """Write the weight (d,) of a reward into the folder of its model."""
    save_file({WEIGHT: weight.detach().cpu().float().contiguous()}, folder / FILE)


def has_reward(folder: Path) -> bool:
    """Return whether the model in a folder says a reward."""
    return (Path(folder) / FILE).is_file()


def put_reward(model: PreTrainedModel, folder: Path) -> None:
    """Give a model the reward in its folder, if there is one; it is none of its modules."""
    if has_reward(folder):
        with open_tensors(Path(folder) / FILE) as file:
            vars(model)[NAME] = file.get_tensor(WEIGHT)


def reward_of(model: PreTrainedModel) -> torch.Tensor | None:
    """Return the weight (d,) of a model's reward; None for most models."""
    return vars(model).get(NAME)


def rewards(model: PreTrainedModel, texts: list[list[int]], *, batch_tokens: int) -> torch.Tensor:
    """Compute the reward of n texts of tokens, each with its end of text: (n,) in double precision."""
    weight = reward_of(model)
    if weight is None:
        raise ValueError("the model has no reward")
    return last_states(model, texts, batch_tokens=batch_tokens).double() @ weight.double()
