"""Round weights to NormalFloat of 4 bits (QLoRA; Dettmers et al. 2023, arXiv 2305.14314), kept in single precision.

The values are those that bitsandbytes computes with, without its second quantisation (of the scales), so the quality of
a quantised model is that of the real thing. Its memory is not: nothing here is stored in 4 bits.
"""

from collections.abc import Iterable

import torch
from transformers.pytorch_utils import Conv1D

BLOCK = 64  # numbers that share a scale, their largest size
# quantiles of the normal distribution, as bitsandbytes has them
LEVELS = torch.tensor(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334]
    + [-0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224]
    + [0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
)


def rounded(matrix: torch.Tensor) -> torch.Tensor:
    """Return the nearest values that NF4 has for each block of a matrix, which is read row by row."""
    flat = matrix.float().flatten()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    levels = LEVELS.to(matrix.device)
    place = torch.bucketize(blocks / scale.where(scale > 0, 1), (levels[1:] + levels[:-1]) / 2)
    return (levels[place] * scale).flatten()[: len(flat)].view_as(matrix).to(matrix.dtype)


@torch.no_grad()
def round_weights(layers: Iterable[torch.nn.Module]) -> None:
    """Round the weights of linear layers in place; those of GPT-2, which have the inputs first, as if turned."""
    for layer in layers:
        if isinstance(layer, Conv1D):
            layer.weight.copy_(rounded(layer.weight.T.contiguous()).T)
        else:
            layer.weight.copy_(rounded(layer.weight))
