"""Copy what is laid out on the host to the device of a model, without making the host wait.

A row is described by many small tensors. They are computed on the CPU from what is known there, since a GPU that is
asked for a number (`nonzero`, `item`, `tolist`) runs out of work until it has answered.
"""

from dataclasses import fields, is_dataclass
from typing import Any

import torch


def to_device(value: Any, device: torch.device) -> Any:
    """Copy a tensor to a device, and the tensors in lists and dataclasses; anything else is returned as it is."""
    if device.type == "cpu":
        return value
    if isinstance(value, torch.Tensor):
        pinned = value.pin_memory() if device.type == "cuda" and value.device.type == "cpu" else value
        return pinned.to(device, non_blocking=True)
    if isinstance(value, list):
        return [to_device(one, device) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{field.name: to_device(getattr(value, field.name), device) for field in fields(value)})
    return value
