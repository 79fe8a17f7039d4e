"""How often intervals of indicators hold the truth, and how often one that predicts nothing seems to tell something.

Simulated: checkpoints whose quality all datasets share in part, an indicator, and scores with noise on eight halvings
of the items. The truth is the mean over all studies that are simulated. Its own standard error is 0.7 % near 95 %.

python benchmarks/indicators.py      # the table of docs/statistics.md
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from subjects import read_options
from timing import is_met, row

from ripeness.runtime.command_line import run as run_program
from ripeness.stats.indicators import Unit, skill_of

SIZES = [(n, n_datasets) for n in (6, 8, 20) for n_datasets in (3, 5, 10)]  # checkpoints, datasets
REPETITIONS, HALVINGS = 1000, 8
CONFIDENCE, CHANCE, SEED = 0.95, 0.5, 3
OWN, NOISE, POINTS = 0.5, 0.3, 0.05  # of a dataset's own quality, of each score; points for one of quality
COVERS, RARELY = ">= 0.92", "<= 0.07"
WORDS = {COVERS: "at least 92", RARELY: "at most 7", "": ""}


@dataclass(frozen=True)
class Truth:
    """How much an indicator follows the quality of checkpoints, how much that differs by dataset, and its noise."""

    tells: float
    differs: float = 0.0
    is_shared: bool = False  # the noise of the indicator is the same in all datasets


TRUTHS = {
    "predicts": Truth(0.6),
    "predicts, datasets differ": Truth(0.6, 0.4),
    "predicts well": Truth(2.0, 0.1),
    "predicts nothing": Truth(0.0),
    "predicts nothing, alike in all": Truth(0.0, is_shared=True),
    "predicts in some, misleads in others": Truth(0.0, 0.4),
}


def study(truth: Truth, n: int, n_datasets: int, rng: np.random.Generator) -> Iterator[Unit]:
    """Draw the datasets of a study."""
    quality, common = rng.normal(size=(2, n))
    for number in range(n_datasets):
        true = quality + OWN * rng.normal(size=n)
        error = common if truth.is_shared else rng.normal(size=n)
        said = (truth.tells + truth.differs * rng.normal()) * true + error
        said, score, other = (values + NOISE * rng.normal(size=(HALVINGS, n)) for values in (said, true, true))
        yield Unit("run", str(number), said, POINTS * score, other)


def rows_of(name: str, n: int, n_datasets: int, repetitions: int) -> Iterator[dict]:
    """Rows of one truth and size."""
    rng = np.random.default_rng([SEED, n, n_datasets, list(TRUTHS).index(name)])
    studies = (list(study(TRUTHS[name], n, n_datasets, rng)) for _ in range(repetitions))
    skills = [skill for units in studies if (skill := skill_of(units, confidence=CONFIDENCE))]
    found = {
        "pairs": [(s.accuracy.main.effect, *s.accuracy.main.interval(CONFIDENCE)) for s in skills],
        "regret": [(s.regret.main.effect, s.regret.main.low, s.regret.main.high) for s in skills],
    }
    for what, intervals in found.items():
        effects, low, high = np.array(intervals).T
        held = float(((low <= effects.mean()) & (effects.mean() <= high)).mean())
        target = COVERS if what == "pairs" else ""
        yield measured(what, name, n, n_datasets, "covered", target, held)
    nearest = [min(s.accuracy.main.p_above(CHANCE), s.accuracy.main.p_below(CHANCE)) for s in skills]
    told = float(np.mean([2 * p < 1 - CONFIDENCE for p in nearest]))
    is_nothing = TRUTHS[name].tells == 0
    yield measured("distinguished from chance", name, n, n_datasets, "seen", RARELY if is_nothing else "", told)


def measured(what: str, name: str, n: int, n_datasets: int, unit: str, target: str, seen: float) -> dict:
    """One row."""
    setting = f"{name}, {n} x {n_datasets}"
    return row("indicators", what, setting, unit=unit, target=target, ours=seen, theirs=None, ratio=seen)


def run(options: argparse.Namespace) -> list[dict]:
    """Rows of all truths and sizes; ten studies each where it is to be small."""
    rows: list[dict] = []
    for n, n_datasets in SIZES[:2] if options.small else SIZES:
        logging.info("indicators: %d checkpoints, %d datasets", n, n_datasets)
        for name in TRUTHS:
            rows += rows_of(name, n, n_datasets, 10 if options.small else REPETITIONS)
    return rows


def table(rows: list[dict]) -> str:
    """Rows by truth, sizes side by side, in percent; where a target is missed the number is bold."""
    sizes = [f"{n} x {n_datasets}" for n, n_datasets in SIZES]
    lines = [["truth", "what", "", *sizes], ["---"] * (3 + len(sizes))]
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for entry in rows:
        name, size = entry["setting"].rsplit(", ", 1)
        text = f"{100 * entry['ours']:.1f}"
        key = (name, entry["model"], WORDS[entry["target"]])
        found.setdefault(key, {})[size] = f"**{text}**" if is_met(entry) is False else text
    lines += [[*key, *(cells.get(size, "–") for size in sizes)] for key, cells in sorted(found.items(), key=place)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def place(entry: tuple[tuple[str, str, str], dict[str, str]]) -> tuple[int, str]:
    """Where a line of the table stands."""
    return list(TRUTHS).index(entry[0][0]), entry[0][1]


def main() -> None:
    """Print the table."""
    print(table(run(read_options(__doc__))))


if __name__ == "__main__":
    run_program(main)
