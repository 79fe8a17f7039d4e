"""Verdicts on studies whose truth is planted."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import polars as pl
import pytest
import test_findings as program
from ripeness.errors import UserError
from ripeness.files import read_json
from ripeness.findings import FINDINGS, all_findings
from ripeness.paired_scores import Block, Point, Row, Scores, folds, scores_of, strata_of
from ripeness.tables import ITEM_SCORES, MEASUREMENTS, conform
from ripeness.verdicts import Settings, settings_from
from scipy import special

FAST = Settings(draws=200, permutations=50)
FORMATS = ("default", "io")


@dataclass(frozen=True)
class World:
    """Truth of a study: expected scores of untouched and tuned models, and how much seeds and formats move them."""

    kinds: dict[str, str]
    base: dict[str, list[float]]  # by dataset, over checkpoints
    gain: dict[str, float]  # by dataset tuned on, on itself
    harm: dict[tuple[str, str], float]  # by kinds of the dataset tuned on and measured on
    format_effect: list[float] | None = None  # added to one format and taken from the other, over checkpoints
    seed_sd: float = 0.0
    n_items: int = 100
    n_seeds: int = 2


LEARNED, NEVER = [0.5, 0.5, 0.7, 0.9, 0.9, 0.9], [0.5] * 6
AMURO = World(
    kinds={"sentiment": "choice", "classes": "choice", "summary": "generation"},
    base={"sentiment": LEARNED, "classes": NEVER, "summary": [0.0, 0.0, 0.3, 0.7, 0.8, 0.8]},
    gain={"sentiment": 0.03, "classes": 0.4, "summary": 0.05},
    harm={("choice", "generation"): 0.4, ("generation", "choice"): 0.0, ("choice", "choice"): 0.0},
    format_effect=[0.0, 0.0, 0.2, 0.2, 0.0, 0.0],
)
NOTHING = World(
    kinds={"a": "choice", "b": "choice", "c": "choice", "d": "generation"},
    base={"a": [0.5] * 6, "b": [0.65] * 6, "c": [0.6] * 6, "d": [0.3] * 6},
    gain=dict.fromkeys("abcd", 0.1),
    harm={},
    format_effect=[0.05] * 6,
    seed_sd=0.05,
    n_items=60,
)


def simulate(world: World, seed: int) -> Scores:
    """Draw a study: items have difficulties that all models share; a model's seed moves its expected score."""
    rng = np.random.default_rng(seed)
    points = [Point("run", f"step{k}", k, 1000 * 4**k if k else 0, "stable", 0) for k in range(6)]
    shift = {
        key: world.seed_sd * rng.standard_normal()
        for key in product(world.kinds, range(world.n_seeds), range(6))
    }
    blocks = {}
    for probe, kind in world.kinds.items():
        rows, expected = [], []
        for k, asked in product(range(6), FORMATS):
            sign = 1 if asked == "default" else -1
            effect = sign * (world.format_effect or [0.0] * 6)[k]
            base = world.base[probe][k]
            rows.append(Row("run", f"step{k}", probe, asked, "base", 0, asked))
            expected.append(base + effect)
            for dataset, trained, number in product(world.kinds, FORMATS, range(world.n_seeds)):
                rows.append(Row("run", f"step{k}", dataset, trained, "full", number, asked))
                harm = world.harm.get((world.kinds[dataset], kind), 0.0)
                change = world.gain[dataset] if dataset == probe else -harm
                expected.append(base + effect + change + shift[dataset, number, k])
        blocks[probe, "test"] = block(rng, probe, kind, rows, np.clip(expected, 0.0, 1.0), world.n_items)
    return Scores({"run": points}, blocks)


def block(rng, probe, kind, rows, expected, n_items) -> Block:
    noise = np.sqrt(0.5) * rng.standard_normal(n_items) + np.sqrt(0.5) * rng.standard_normal(
        (len(rows), n_items)
    )
    if kind == "choice":
        values = (noise < special.ndtri(expected)[:, None]).astype(float)
    else:
        values = np.clip(expected[:, None] + 0.15 * noise, 0.0, 1.0)
    return Block(probe, kind, rows, values, np.arange(n_items), np.arange(n_items) % 2)


def limits(world: World) -> pl.DataFrame:
    rows = [
        {"probe": probe, "probe_kind": kind, "chance": 0.5, "majority": 0.5}
        for probe, kind in world.kinds.items()
        if kind == "choice"
    ]
    return conform(rows, MEASUREMENTS)


def verdicts(world: World, scores: Scores, settings: Settings = FAST) -> dict[str, str]:
    return {finding.id: finding.verdict for finding in all_findings(limits(world), scores, settings)}
