"""Studies of overtraining whose truth is planted: losses after noise and after tuning, and how far tuning moves."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import polars as pl

from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.needs import has_cells
from ripeness.findings.register import CLAIMS
from ripeness.findings.scores import Scores
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform

QUICK = Settings(draws=200)
RUNS = {f"run{k}": "run" for k in range(3)}
SETTINGS = replace(QUICK, runs=RUNS, families=RUNS)
STEPS = 12
ASKED = {"suite": "s", "split": "test", "shots": 0}
TEXT = ASKED | {"probe": "prose", "probe_kind": "text", "probe_format": "text", "metric": "loss"}
OWN = ASKED | {"probe": "quiz", "probe_kind": "choice", "probe_format": "default", "metric": "answer_loss"}


@dataclass(frozen=True)
class Truth:
    """Over u, the logarithm of tokens from 0 to 1: what noise and tuning add to the loss, which falls from 3 to 2.

    `noise` by normalisation is the power of 10 that the increase grows by; `harm` that of tuning; `answer` is the loss
    on answers at the last checkpoint less that at the first; `moves` doublings of the displacement over all tokens;
    `decay` is the factor by which a decayed checkpoint loses more.
    """

    noise: dict[str, float]
    harm: float = 1.5
    answer: float = -0.5
    moves: float = 0.0
    decay: float = 2.0
    rates: tuple[float, ...] = (1e-3,)
    tuned_helps: bool = False
    treatments: tuple[tuple[str, float, float], ...] = ()  # name, added to text loss, added to answer loss
    n_runs: int = 3
    n_steps: int = STEPS
    sd: float = 0.01


BRITTLE = Truth(noise={"init": 1.5, "relative": 1.0})  # later checkpoints are brittle at a fixed rate


def planted(truth: Truth, seed: int = 0) -> Tables:
    """Draw the tables of a study; a decayed twin of the last checkpoint stands in every run."""
    rng = np.random.default_rng(seed)
    points = [(f"step{k}", k, 1000 * 2**k, "stable", k / (truth.n_steps - 1)) for k in range(truth.n_steps)]
    points.append(("start", 0, 0, "stable", 0.0))
    points.append(("annealed", points[-2][1], points[-2][2], "annealed", 1.0))
    measured, cells, perturbed = [], [], []
    for run, (checkpoint, step, tokens, phase, u) in product(range(truth.n_runs), points):
        place = {"series": f"run{run}", "checkpoint": checkpoint, "step": step, "tokens": tokens, "phase": phase}
        place |= {"study": "planted", "pretraining_seed": run, "lr": 1e-3 if phase == "stable" else 0.0}
        base = 3 - u + truth.sd * rng.standard_normal()
        factor = truth.decay if phase == "annealed" else 1.0
        perturbed += noise_rows(truth, place, base, u, factor, rng)
        untouched = {"method": "base", "dataset": "prose", "format": "text", "seed": 1}
        measured.append(place | TEXT | untouched | {"value": base})
        for cell, added, harm, moved in tunings(truth, u):
            tuned = base + factor * harm + truth.sd * rng.standard_normal()
            answer = 1 + truth.answer * u + added + truth.sd * rng.standard_normal()
            measured += [place | cell | TEXT | {"value": tuned}, place | cell | OWN | {"value": answer}]
            facts = {"status": "done", "reason": "", "displacement": moved * np.exp(truth.sd * rng.standard_normal())}
            cells.append({key: value for key, value in (place | cell | facts).items() if key in CELLS | IS_CHOSEN})
    tables = {"measurements": conform(measured, MEASUREMENTS | IS_CHOSEN), "cells": conform(cells, CELLS | IS_CHOSEN)}
    return Tables.of(**tables, sensitivity=pl.DataFrame(perturbed), scores=Scores())


def changed(tables: Tables, **others: pl.DataFrame | None) -> Tables:
    """Replace tables of a study; None takes one away."""
    names = ("measurements", "cells", "sensitivity", "scores")
    return Tables.of(**{name: getattr(tables, name) for name in names} | others)


def on_overtraining(tables: Tables, settings: Settings = SETTINGS) -> dict[str, Finding]:
    """Every finding on overtraining that the tables allow, each tested alone."""
    claims = [claim for claim in CLAIMS if has_cells in claim.needs and claim.form_for(tables)]
    return {claim.id: adjusted([claim.test(tables, settings)], settings)[0] for claim in claims}


def found(truth: Truth, name: str, settings: Settings = SETTINGS) -> Finding:
    """One finding on a planted study."""
    return on_overtraining(planted(truth), settings)[name]


def tunings(truth: Truth, u: float):
    """Every tuned cell of one checkpoint: identity, what it adds to the answer loss and to the text loss, how far."""
    methods = [("full", 0.0, 0.0), *truth.treatments]
    for (method, text, answer), (place, rate), seed in product(methods, enumerate(truth.rates), (1, 2, 3)):
        size = rate / max(truth.rates)
        best = round((1 - u * truth.tuned_helps) * (len(truth.rates) - 1))
        cell = {"dataset": "quiz", "format": "default", "method": method, "learning_rate": rate, "seed": seed}
        harm = 0.1 * size * 10 ** (truth.harm * u) + text
        missed = 0.3 * (1 - size) if not truth.tuned_helps else 0.1 * abs(place - best)
        moved = size * 2 ** (truth.moves * u)
        yield cell | {"is_chosen": place == best}, answer + missed, harm, moved


def noise_rows(truth: Truth, place: dict, base: float, u: float, factor: float, rng: np.random.Generator) -> list[dict]:
    """What noise of two scales and five draws adds."""
    found = []
    for (name, power), scale, draw in product(truth.noise.items(), (0.5, 1.0), range(5)):
        increase = factor * 0.05 * scale**2 * 10 ** (power * u) * np.exp(0.1 * rng.standard_normal())
        key = {"perturbation": "noise", "normalisation": name, "scale": scale, "noise_seed": draw, "probe": "prose"}
        losses = {"base_loss": base, "loss": base + increase, "increase": increase, "se": 0.001, "n_items": 100}
        found.append(place | key | losses)
    return found
