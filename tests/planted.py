"""Studies whose truth is planted: expected scores of models, and the items drawn from them."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import polars as pl
from scipy import special

from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.needs import has_items
from ripeness.findings.register import CLAIMS, all_findings
from ripeness.findings.scores import Block, Point, Row, Scores
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import ITEM_SCORES, MEASUREMENTS, conform

FAST = Settings(draws=200, permutations=50)
QUICK = Settings(draws=100, permutations=10)
FORMATS = ("default", "io")
CLAIM_OF = {claim.id: claim for claim in CLAIMS}
ON_ITEMS = [claim.id for claim in CLAIMS if has_items in claim.needs]


@dataclass(frozen=True)
class World:
    """Truth of a study: expected scores of untouched and tuned models, and how much seeds and formats move them."""

    kinds: dict[str, str]
    base: dict[str, list[float]]  # by dataset, over checkpoints
    gain: dict[str, float]  # by dataset tuned on, on itself
    harm: dict[tuple[str, str], float]  # by kinds of the dataset tuned on and measured on
    format_effect: list[float] | None = None  # added to one format and taken from the other, over checkpoints
    seed_sd: float = 0.0
    n_items: int = 200
    n_seeds: int = 2


LEARNED, NEVER = [0.5, 0.5, 0.7, 0.9, 0.9, 0.9], [0.5] * 6
AMURO = World(
    kinds={"sentiment": "choice", "classes": "choice", "summary": "generation"},
    base={"sentiment": LEARNED, "classes": NEVER, "summary": [0.0, 0.0, 0.3, 0.7, 0.8, 0.8]},
    gain={"sentiment": 0.03, "classes": 0.4, "summary": 0.05},
    harm={("choice", "generation"): 0.4, ("generation", "choice"): 0.0, ("choice", "choice"): 0.0},
    format_effect=[0.0, 0.0, 0.2, 0.2, 0.0, 0.0],
)


def widened(world: World, n: int = 2) -> World:
    """Put `n` datasets in the place of each, since one cannot show how much datasets differ."""

    def each(values: dict) -> dict:
        return {f"{name}{number}": value for name, value in values.items() for number in range(n)}

    return replace(world, kinds=each(world.kinds), base=each(world.base), gain=each(world.gain))


SMOOTH = [0.2, 0.16, 0.12, 0.08, 0.04, 0.0]
WIDE = widened(replace(AMURO, format_effect=SMOOTH))
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
    """Draw a study: items have a difficulty that all models share; a seed moves the expected score of a tuned model.

    A format moves tuned models, and untouched ones where there is something to move.
    """
    rng = np.random.default_rng(seed)
    points = [Point("run", f"step{k}", k, 1000 * 4**k if k else 0, "stable", 0) for k in range(6)]
    shift = {key: world.seed_sd * rng.standard_normal() for key in product(world.kinds, range(world.n_seeds), range(6))}
    blocks = {}
    for probe, kind in world.kinds.items():
        rows, expected = [], []
        for k, asked in product(range(6), FORMATS):
            effect = (1 if asked == "default" else -1) * (world.format_effect or [0.0] * 6)[k]
            base = world.base[probe][k]
            known = base > world.base[probe][0]
            rows.append(Row("run", f"step{k}", probe, asked, "base", 0, asked))
            expected.append(base + effect * known)
            for dataset, trained, number in product(world.kinds, FORMATS, range(world.n_seeds)):
                rows.append(Row("run", f"step{k}", dataset, trained, "full", number, asked))
                harm = world.harm.get((world.kinds[dataset], kind), 0.0)
                is_own = dataset == probe
                change = world.gain[dataset] if is_own else -harm
                expected.append(base + effect * (known or is_own) + change + shift[dataset, number, k])
        blocks[probe, "test"] = block(rng, probe, kind, rows, np.clip(expected, 0.0, 1.0), world.n_items)
    return Scores({"run": points}, blocks)


def block(rng, probe, kind, rows, expected, n_items) -> Block:
    noise = np.sqrt(0.5) * rng.standard_normal(n_items) + np.sqrt(0.5) * rng.standard_normal((len(rows), n_items))
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
    return conform(rows, MEASUREMENTS).with_columns(suite=pl.lit("in-domain"), is_chosen=True)


def tables_of(world: World, scores: Scores) -> Tables:
    return Tables.of(measurements=limits(world), scores=scores)


def found(world: World, scores: Scores, settings: Settings = FAST) -> dict[str, Finding]:
    return {finding.id: finding for finding in all_findings(tables_of(world, scores), settings)}


def judged(name: str, world: World, seed: int, settings: Settings = FAST) -> Finding:
    """Test one claim alone."""
    return adjusted([CLAIM_OF[name].test(tables_of(world, simulate(world, seed)), settings)], settings)[0]


def verdicts(world: World, seeds: range, name: str) -> list[str]:
    return [judged(name, world, seed).verdict for seed in seeds]


def without(scores: Scores, drop) -> Scores:
    """Leave out the rows for which `drop` holds."""
    blocks = {}
    for key, one in scores.blocks.items():
        kept = [index for index, row in enumerate(one.rows) if not drop(row, one)]
        if kept:
            blocks[key] = replace(one, rows=[one.rows[index] for index in kept], values=one.values[kept])
    return Scores(scores.checkpoints, blocks, scores.n_learning_rates)


def as_items(scores: Scores) -> pl.DataFrame:
    """Write scores as the rows of the items table."""
    rows = []
    for (probe, split), one in scores.blocks.items():
        points = {point.checkpoint: point for point in scores.checkpoints["run"]}
        for row, values in zip(one.rows, one.values, strict=True):
            point = points[row.checkpoint]
            for item, value in enumerate(values.tolist()):
                rows.append(
                    row._asdict()
                    | {"step": point.step, "tokens": point.tokens, "phase": point.phase, "pretraining_seed": 0}
                    | {"probe": probe, "probe_kind": one.kind, "split": split, "shots": 0}
                    | {"item": f"{probe}-{item:03}", "cluster": f"{probe}-{item:03}", "gold": str(one.gold[item])}
                    | {"score": float(value)}
                )
    return conform(rows, ITEM_SCORES).with_columns(suite=pl.lit("in-domain"), is_chosen=True)
