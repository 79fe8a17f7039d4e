"""How far tuning has moved a model's weights from those of the checkpoint that it started from."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from ripeness.models.load import load_model
from ripeness.models.tuned_state import is_small
from ripeness.runtime.files import read_json
from ripeness.stats.finite import finite
from ripeness.storage.arrays import open_tensors

BLOCK = 2**22  # numbers that are compared at once

# why a model of a kind that does not merge has no displacement
NOT_MERGED = "what was learned stands next to the weights, which are those of the checkpoint"


class Displacement(NamedTuple):
    """Norm of the difference of the weights, and the same over the norm of the checkpoint's; None if not finite."""

    displacement: float | None
    relative_displacement: float | None


def displacement(
    model: PreTrainedModel, checkpoint: Path, weights: Mapping[str, torch.Tensor] | None = None
) -> Displacement:
    """L2 norm of tuned minus checkpoint weights over all tensors, tied ones once.

    `weights` are those of a model that is spread over processes, put together. The checkpoint is read tensor by tensor.
    """
    names = [name for name, _ in model.named_parameters()]  # names each tied tensor once
    tuned = dict(model.named_parameters()) if weights is None else weights
    moved = start = 0.0
    for name, before in checkpoint_weights(checkpoint, {name: tuned[name] for name in names}):
        for now, then in zip(blocks_of(tuned[name].detach()), blocks_of(before), strict=True):
            then = then.to(now.device, torch.float32)  # as `load_model` does
            moved += square_of_norm(now.float() - then)
            start += square_of_norm(then)
    far, size = math.sqrt(moved) if math.isfinite(moved) else math.nan, math.sqrt(start)
    return Displacement(finite(far), finite(far / size if size else math.nan))


def blocks_of(weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Split a tensor, of which a difference in double precision would take twice the memory and more."""
    return weight.flatten().split(BLOCK)


def square_of_norm(tensor: torch.Tensor) -> float:
    """Sum of squares, added up in double precision."""
    return torch.linalg.vector_norm(tensor, dtype=torch.float64).item() ** 2


def checkpoint_weights(folder: Path, like: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight of a checkpoint by the name that it has in the model, one at a time.

    Files may leave the model's prefix out ("transformer.") or have it. Where transformers makes weights of several
    tensors of the files, the checkpoint is loaded as a second model.
    """
    stored = {} if is_small(folder) else stored_tensors(folder)
    found = {name: key for name in like if (key := key_of(name, stored))}
    if any(name not in found or stored[found[name]][1] != list(like[name].shape) for name in like):
        yield from load_model(folder, on_gpu=False).named_parameters()
        return
    for path in sorted({stored[key][0] for key in found.values()}):
        for name, key in found.items():
            if stored[key][0] == path:
                with open_tensors(path) as file:  # again for each: what was read of a file stays in memory until then
                    before = file.get_tensor(key)
                yield name, before


def stored_tensors(folder: Path) -> dict[str, tuple[Path, list[int]]]:
    """File and shape of every tensor of a checkpoint, by its name there; nothing is read but the files' heads."""
    index, names = folder / SAFE_WEIGHTS_INDEX_NAME, [SAFE_WEIGHTS_NAME]
    found: dict[str, tuple[Path, list[int]]] = {}
    if index.is_file():
        names = sorted(set(read_json(index, dict, keys=("weight_map",))["weight_map"].values()))
    for path in (folder / name for name in names):
        with open_tensors(path) as file:
            found |= {key: (path, file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 (no mapping)
    return found


def key_of(name: str, stored: Mapping[str, object]) -> str | None:
    """Return the name in the files of a weight of the model; None where none or several fit."""
    if name in stored:
        return name
    near = [key for key in stored if key.endswith(f".{name}") or name.endswith(f".{key}")]
    return near[0] if len(near) == 1 else None
