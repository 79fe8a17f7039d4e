"""A power cut in the middle of a training, between two steps of the optimizer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch


class KilledError(Exception):
    """What ends a training here, in place of a power cut."""


def limit_steps(n: int, patch: pytest.MonkeyPatch) -> None:
    """Let the optimizer take so many steps, and be killed in the next one."""
    take, left = torch.optim.AdamW.step, iter(range(n))

    def step(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        if next(left, None) is None:
            raise KilledError
        return take(self, *args, **kwargs)

    patch.setattr(torch.optim.AdamW, "step", step)


@contextmanager
def killed_after(n: int) -> Iterator[None]:
    """Kill what is within in the step after so many; it must come that far."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        limit_steps(n, patch)
        yield
