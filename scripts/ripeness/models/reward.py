"""The reward of a reward model: a linear function of the last state at the end of an answer, in a file of its own."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from ripeness.runtime.errors import UserError
from ripeness.storage.arrays import open_tensors

FILE, WEIGHT = "reward.safetensors", "weight"


def write_reward(folder: Path, weight: torch.Tensor) -> None:
    """Write the weight (d,) of a reward into the folder of its model."""
    save_file({WEIGHT: weight.detach().cpu().float().contiguous()}, folder / FILE)


def has_reward(folder: Path) -> bool:
    """Return whether the model in a folder says a reward."""
    return (Path(folder) / FILE).is_file()


def read_reward(folder: Path) -> torch.Tensor:
    """Read the weight (d,) of a reward; UserError where the model has none."""
    if not has_reward(folder):
        raise UserError(f"{folder} has no reward ({FILE})\nhint: name a model that was trained with `learns: reward`")
    with open_tensors(Path(folder) / FILE) as file:
        return file.get_tensor(WEIGHT)
