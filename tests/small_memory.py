"""A model whose forward pass runs out of memory on long rows."""

from contextlib import contextmanager

import pytest
import torch


@contextmanager
def small_memory(model, most):
    """Let passes over more than `most()` tokens in a row raise what torch raises on a GPU that is full."""
    forward = type(model).forward

    def forward_in_memory(self, input_ids, **how):
        if input_ids.shape[1] > most():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, input_ids=input_ids, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "forward", forward_in_memory)
        yield
