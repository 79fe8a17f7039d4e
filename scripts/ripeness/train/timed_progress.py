"""The seconds of a training over all its attempts, kept next to its state, so that one that was cut off counts whole.

They are not in the state itself, which pre-training has too: no code of that should change for them.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import PreTrainedModel

from ripeness.models.sharding import rank
from ripeness.runtime.files import read_json, write_json
from ripeness.train.resume import Progress

SPENT = "seconds"


@dataclass
class TimedProgress(Progress):
    """Where the state of a training is kept, with the seconds of earlier attempts up to their last state (`spent`)."""

    begun: float = field(default_factory=time.monotonic)
    spent: float = 0.0

    @property
    def so_far(self) -> float:
        """Return the seconds of this training, with those of earlier attempts."""
        return self.spent + time.monotonic() - self.begun

    @property
    def clock(self) -> Path:
        """Return the file that keeps the seconds up to the last state."""
        return self.path.with_suffix(".seconds")

    def save(self, model: PreTrainedModel, optimizer: torch.optim.Optimizer, losses: list[float]) -> None:
        """Save if it is time, or if the process must end, and then the seconds too."""
        before = self.last
        try:
            super().save(model, optimizer, losses)
        finally:  # also where it ends the process
            if self.last != before and rank() == 0:
                write_json(self.clock, {SPENT: self.so_far}, must_last=False)

    def restore(self, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> list[float]:
        """Put back what was saved of this training; return the losses of its steps so far."""
        losses = super().restore(model, optimizer)
        if losses and self.clock.is_file():
            self.spent = float(read_json(self.clock, dict, keys=(SPENT,), advice="delete it")[SPENT])
        return losses

    def remove(self) -> None:
        """Delete the state of a training that has ended, and its seconds."""
        super().remove()
        self.clock.unlink(missing_ok=True)
