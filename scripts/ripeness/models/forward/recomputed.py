"""Compute the blocks of a model again in the backward pass, instead of keeping what is inside them.

This is gradient checkpointing (Chen et al. 2016, arXiv 1604.06174). The last block is left out: a hook cuts its pass in
two and keeps its keys between them (see last_layer.py), and what is computed again would find those of the first time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from ripeness.models.methods.layer_names import blocks_of
from ripeness.runtime.errors import UserError


@contextmanager
def recomputed(model: PreTrainedModel) -> Iterator[None]:
    """Keep only what goes into each block but the last for a while; UserError where there are no blocks to be found."""
    blocks = list(blocks_of(model).values())
    if not blocks:
        raise UserError(
            f"gradient_checkpointing: no blocks are to be found in a model of type {model.config.model_type!r}\n"
            "hint: leave it out"
        )
    for block in blocks[:-1]:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block in blocks[:-1]:
            del block.forward
