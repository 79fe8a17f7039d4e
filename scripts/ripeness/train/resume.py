"""The state of a training, saved now and then, so that a job that is cut off goes on to the same weights."""

import hashlib
import logging
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.models.sharding import load_whole_state, rank, summed, whole_state
from ripeness.runtime.files import whole
from ripeness.storage.arrays import read_state


def training_identity(model: PreTrainedModel, *parts: Any) -> str:
    """Digest of what decides a training: the weights that it starts from, by their sums, and whatever else is given."""
    return hashlib.sha256(repr((sums_of(model.state_dict()), parts)).encode()).hexdigest()


def sums_of(weights: Mapping[str, torch.Tensor]) -> list[float]:
    """Return the sum of each tensor."""
    return [weight.sum(dtype=torch.float64).item() for weight in weights.values()]


@dataclass
class Progress:
    """Where the state of a training is kept, what the training is (`identity`), and after how many seconds again."""

    path: Path
    identity: str
    seconds: float
    last: float = field(default_factory=time.monotonic)
    must_end: bool = False

    def end_when_asked(self) -> None:
        """From now on SIGTERM, which a scheduler sends before it kills, ends the process after the next `save`."""

        def end(*_: object) -> None:
            self.must_end = True

        signal.signal(signal.SIGTERM, end)

    def save(self, model: PreTrainedModel, optimizer: torch.optim.Optimizer, losses: list[float]) -> None:
        """Save if it is time, or if the process must end; a state is whole or not there at all.

        Of several processes all save if one must, and the first one writes.
        """
        must_end, is_due = summed(self.must_end, time.monotonic() - self.last > self.seconds)
        if not must_end and not is_due:
            return
        weights, moments = whole_state(model, optimizer)
        state = {
            "identity": self.identity,
            "losses": losses,
            "weights": weights,
            "optimizer": moments,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        if rank() == 0:
            with whole(self.path) as path:
                torch.save(state, path)
        self.last = time.monotonic()
        if must_end:
            logging.info("asked to end: saved after step %d, the next run goes on from here", len(losses))
            sys.exit(128 + signal.SIGTERM)

    def restore(self, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> list[float]:
        """Put back what was saved of this training; return the losses of its steps so far, none if there is nothing."""
        if not self.path.is_file():
            return []
        state = read_state(self.path)
        if state.get("identity") != self.identity:
            logging.info("the state in %s is of another training: starting anew", self.path)
            return []
        load_whole_state(model, optimizer, state["weights"], state["optimizer"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"]:
            torch.cuda.set_rng_state_all(state["random_cuda"])
        logging.info("going on after step %d", len(state["losses"]))
        return list(state["losses"])

    def remove(self) -> None:
        """Delete the state of a training that has ended."""
        self.path.unlink(missing_ok=True)
