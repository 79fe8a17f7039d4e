"""Draw the losses of a study whose effects are known: after noise on the weights, and after tuning at several rates.

After a change of fixed size the loss on running text follows a valley over checkpoints; what the change adds grows with
tokens, or does not, on its own. Checkpoints scatter about every curve, and neighbours may do so alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl

from ripeness.calibration.noise import autocorrelated
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, SENSITIVITY, conform

BEST_AT = 0.6  # of the way through the checkpoints, where the loss after a change turns
ADDED = 0.2  # nats that a change adds at the first checkpoint
SCALES = (0.8, 1.36**0.5)  # of noise; the mean of their squares is 1
NORMALISATIONS = ("init", "relative")
RATES = {1e-4: 0.0, 3e-4: 1.0, 1e-3: 2.0}  # learning rate: part of the valley that is there; 1 in the mean
FIRST_TOKENS = 2**30
TEXT = {"suite": "pretraining", "split": "test", "shots": 0, "probe": "prose", "probe_kind": "text"}
TEXT |= {"probe_format": "text", "metric": "loss"}
OWN = {"suite": "in-domain", "split": "test", "shots": 0, "probe_kind": "choice", "probe_format": "default"}
OWN |= {"metric": "answer_loss"}


@dataclass(frozen=True)
class LossDesign:
    """Size and truth of a study on losses (nats a token); `moves` and `noise_slope` in doublings a doubling of tokens.

    `checkpoint_sd` is relative, of what noise adds and of displacements; `loss_sd` that of losses after tuning.
    """

    n_checkpoints: int = 8
    n_seeds: int = 3
    n_draws: int = 5
    n_runs: int = 1
    n_datasets: int = 3
    n_pairs: int = 1  # decayed twins, of the last checkpoints
    noise_slope: float = 0.0
    rise: float = 0.0  # from the best checkpoint to the last, after a change of fixed size
    fall: float = 0.0  # from the first checkpoint to the last, added to the rest
    chosen: str = "middle"  # rate: "middle", "helps" (the highest at first, the lowest at last) or "random"
    moves: float = 0.0
    decay: float = 0.0  # doublings of what noise adds to a decayed twin
    kept: float = 0.0  # text loss that the gentler way of tuning saves against the plain one
    cost: float = 0.0  # answer loss that it adds
    n_treatments: int = 1
    checkpoint_sd: float = 0.05
    loss_sd: float = 0.01
    rho: float = 0.0
    treatment_sd: float = 0.0  # of what the gentler way changes, between checkpoints
    dataset_sd: float = 0.0  # and between datasets
    draw_sd: float = 0.02
    seed_sd: float = 0.01
    phase: str = "stable"

    @property
    def places(self) -> np.ndarray:
        """Checkpoints in order of log tokens, from 0 to 1."""
        return np.linspace(0, 1, self.n_checkpoints)

    @property
    def valley(self) -> np.ndarray:
        """The loss after a change of fixed size, less a constant [checkpoints]."""
        bowl = ((self.places - BEST_AT) / (1 - BEST_AT)) ** 2
        return self.rise * (bowl - bowl.min()) / (bowl[-1] - bowl.min()) - self.fall * self.places

    @property
    def added(self) -> np.ndarray:
        """What a change of fixed size adds to the loss [checkpoints]."""
        return ADDED * 2 ** (self.noise_slope * np.arange(self.n_checkpoints))

    @property
    def treatments(self) -> dict[str, tuple[float, float]]:
        """Ways of tuning: what each saves of text loss and adds to answer loss; the first gentle one counts."""
        others = {f"gentle{n}": (0.0, 0.0) for n in range(1, self.n_treatments)}
        return {"full": (0.0, 0.0), "gentle0": (self.kept, self.cost), **others}

    def places_of_rates(self, rng: np.random.Generator | None = None) -> np.ndarray:
        """Choose the place of a rate at each checkpoint."""
        if self.chosen == "helps":
            return np.round((1 - self.places) * (len(RATES) - 1)).astype(int)
        if self.chosen == "random" and rng is not None:
            return rng.integers(len(RATES), size=self.n_checkpoints)
        return np.full(self.n_checkpoints, len(RATES) // 2)


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint of one run with what noise did to it: places in tables and curves, and its own scatter."""

    row: dict
    place: int
    base: float
    added: float
    scatter: dict[str, float]


def draw_losses(design: LossDesign, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Draw the tables measurements, cells and sensitivity of a study."""
    measured: list[dict] = []
    cells: list[dict] = []
    perturbed: list[dict] = []
    for run in range(design.n_runs):
        rates = design.places_of_rates(rng)
        kept = design.dataset_sd * rng.standard_normal(design.n_datasets)
        for checkpoint in checkpoints_of(design, run, rng):
            row = checkpoint.row
            untouched = {"method": "base", "dataset": "prose", "format": "text", "seed": 0, "is_chosen": True}
            measured.append(row | TEXT | untouched | {"value": checkpoint.base})
            perturbed += noise_rows(design, checkpoint, rng)
            for cell, text, answer, moved in tunings(design, checkpoint, int(rates[checkpoint.place]), kept, rng):
                measured += [row | cell | TEXT | {"value": text}]
                measured += [row | cell | OWN | {"probe": cell["dataset"], "value": answer}]
                facts = {"status": "done", "reason": "", "displacement": moved}
                cells.append({key: value for key, value in (row | cell | facts).items() if key in CELLS | IS_CHOSEN})
    return {
        "measurements": conform(measured, MEASUREMENTS | IS_CHOSEN),
        "cells": conform(cells, CELLS | IS_CHOSEN),
        "sensitivity": conform(perturbed, SENSITIVITY),
    }


def checkpoints_of(design: LossDesign, run: int, rng: np.random.Generator) -> Iterator[Checkpoint]:
    """Draw the checkpoints of a run, then the decayed twins of the last ones, each with its own scatter."""
    n = design.n_checkpoints
    wandering = {name: autocorrelated((n,), design.rho, rng) for name in ("added", "text", "moved", "gentle")}
    alone = {name: rng.standard_normal(n) for name in wandering}
    for place, is_twin in [*((k, False) for k in range(n)), *((k, True) for k in range(n - design.n_pairs, n))]:
        scatter = {name: float((alone if is_twin else wandering)[name][place]) for name in wandering}
        row: dict[str, object] = {
            "study": "drawn",
            "series": f"run{run}",
            "checkpoint": f"step{place}{'-decayed' * is_twin}",
        }
        row |= {"step": place, "tokens": FIRST_TOKENS * 2**place, "pretraining_seed": run}
        row |= {"phase": "annealed" if is_twin else design.phase, "lr": 0.0 if is_twin else 1e-3}
        added = float(design.added[place]) * 2 ** (design.decay * is_twin)
        base = 3 + float(design.valley[place]) - float(design.added[place])
        yield Checkpoint(row, place, base, added * float(np.exp(design.checkpoint_sd * scatter["added"])), scatter)


def noise_rows(design: LossDesign, checkpoint: Checkpoint, rng: np.random.Generator) -> Iterator[dict]:
    """Draw what noise adds to the loss of a checkpoint; all its draws share the checkpoint's scatter."""
    for name, scale, draw in product(NORMALISATIONS, SCALES, range(design.n_draws)):
        increase = checkpoint.added * scale**2 * float(np.exp(design.draw_sd * rng.standard_normal()))
        names = {"perturbation": "noise", "normalisation": name, "probe": "prose"}
        numbers = {"scale": scale, "noise_seed": draw, "se": 0.001, "n_items": 100}
        losses = {"base_loss": checkpoint.base, "loss": checkpoint.base + increase, "increase": increase}
        yield checkpoint.row | names | numbers | losses


def tunings(
    design: LossDesign, checkpoint: Checkpoint, chosen: int, kept: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[dict, float, float, float]]:
    """Draw every tuned cell of a checkpoint: what names it, its text loss, its answer loss and how far it moved."""
    k, scatter = checkpoint.place, checkpoint.scatter
    after = 3 + float(design.valley[k]) + design.loss_sd * scatter["text"]
    if "decayed" in checkpoint.row["checkpoint"]:
        after += ADDED * (2**design.decay - 1)
    moves = 2 ** (design.moves * k) * float(np.exp(design.checkpoint_sd * scatter["moved"]))
    grid = product(design.treatments.items(), range(design.n_datasets), enumerate(RATES.items()), range(design.n_seeds))
    for (method, (saved, cost)), dataset, (place, (rate, part)), seed in grid:
        is_plain = method == "full"
        if not is_plain and place != chosen:
            continue
        own = rng.standard_normal(3)
        cell = {"dataset": f"set{dataset}", "format": "default", "method": method, "learning_rate": rate, "seed": seed}
        cell |= {"is_chosen": place == chosen}
        level = after + (part - 1) * (0.1 + float(design.valley[k])) + design.seed_sd * own[0]
        changed = 0.0 if is_plain else -saved - kept[dataset] + design.treatment_sd * scatter["gentle"]
        answer = 1 - 0.5 * float(design.places[k]) + (0 if is_plain else cost) + design.seed_sd * own[1]
        moved = rate * 1e4 * moves * float(np.exp(design.seed_sd * own[2]))
        yield cell, level + changed, answer, moved
