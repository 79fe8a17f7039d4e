"""Studies of models that read pictures whose truth is planted: scores by picture, losses on answers and on text."""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import polars as pl
from scipy import special

from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.register import CLAIMS
from ripeness.findings.seeing import in_memory
from ripeness.findings.study_tables import Tables
from ripeness.study.grid import VIEWS
from ripeness.tables.columns import CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, conform

SETTINGS = Settings(draws=200, views={"scenes-other": "exchanged", "scenes-grey": "blank", "scenes-colour": "part"})
RATES = (3e-4, 1e-3)
FIRST = {"see": 200, "untrained": 1}  # steps
START = {"look": "see", "joint": "untrained"}
CHANCE = 0.25


@dataclass(frozen=True)
class Seen:
    """Truth of a study: scores over checkpoints with the own picture, and with another.

    `answer` and `text` by method are losses after the start and after each rate; of text above the untouched model.
    """

    own: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.9, 0.9)
    other: float = CHANCE
    blind: float | None = CHANCE
    answer: dict[str, tuple[float, ...]] = field(
        default_factory=lambda: {"look": (1.0, 0.5, 0.2), "joint": (1.4, 0.9, 0.2)}
    )
    text: dict[str, tuple[float, ...]] = field(
        default_factory=lambda: {"look": (0.0, 0.05, 0.2), "joint": (0.0, 0.1, 0.5)}
    )
    n_items: int = 150
    n_seeds: int = 3
    sd: float = 0.01


def planted(truth: Seen, seed: int = 0) -> Tables:
    """Draw the tables of a study."""
    rng = np.random.default_rng(seed)
    measured, cells, items = [], [], []
    difficulty = rng.standard_normal(truth.n_items)
    facts = {"status": "done", "reason": "", "learns": "answers"}
    for k, own in enumerate(truth.own):
        place = {"series": "run", "checkpoint": f"step{k}", "step": k, "tokens": 1000 * 2**k, "phase": "stable"}
        place |= {"study": "planted", "pretraining_seed": 0, "lr": 1e-3}
        measured.append(place | text_row("base", None, 1, 2.0) | {"is_chosen": True})
        measured.append(place | answer_row("base", None, 1, 3.0) | {"is_chosen": True})
        shift = truth.sd * rng.standard_normal()
        for number, (method, steps) in product(range(truth.n_seeds), FIRST.items()):
            second = next(name for name, start in START.items() if start == method)
            cells.append(place | cell(method, 1e-2, number) | {"kind": "projector", "steps": steps, "is_chosen": True})
            measured += losses(place, method, 1e-2, number, truth, second, 0, rng)
            for at, rate in enumerate(RATES, 1):
                chosen = {"is_chosen": rate == RATES[1]}
                cells.append(
                    place | cell(second, rate, number) | chosen | {"kind": "full", "start": method, "steps": 300}
                )
                measured += losses(place, second, rate, number, truth, second, at, rng)
        if truth.blind is not None:
            cells += [
                place | cell("blind", 1e-3, number) | {"kind": "full", "steps": 300, "is_chosen": True}
                for number in range(truth.n_seeds)
            ]
        expected = expected_scores(truth, own)
        for (method, probe), number in product(expected, range(truth.n_seeds)):
            noise = np.sqrt(0.5) * difficulty + np.sqrt(0.5) * rng.standard_normal(truth.n_items)
            share = np.clip(expected[method, probe] + shift, 0.001, 0.999)
            right = noise < special.ndtri(share)
            row = place | asked(method, probe, number) | {"is_chosen": True}
            value = {"metric": "accuracy", "is_primary": True, "value": right.mean(), "chance": CHANCE}
            measured.append(row | value | {"se": 0.03, "n_items": truth.n_items, "majority": CHANCE})
            names = [{"item": f"i{n:03}", "cluster": f"c{n // 3:03}", "gold": str(n % 4)} for n in range(truth.n_items)]
            items += [row | name | {"score": float(one)} for name, one in zip(names, right, strict=True)]
    return tables_of(measured, [row | facts for row in cells], items)


def expected_scores(truth: Seen, own: float) -> dict[tuple[str, str], float]:
    """Expected scores of a checkpoint by method and probe."""
    expected = {
        ("look", "scenes"): own,
        ("look", "scenes-other"): truth.other,
        ("look", "scenes-grey"): truth.other,
    }
    if truth.blind is not None:
        expected |= {("blind", "scenes"): truth.blind, ("blind", "scenes-colour"): truth.blind}
    return expected


def tables_of(measured: list[dict], cells: list[dict], items: list[dict]) -> Tables:
    """Rows as the tables of a study."""
    columns = CELLS | IS_CHOSEN
    scored = conform(items, ITEM_SCORES | IS_CHOSEN)
    parts = [part.lazy() for part in scored.partition_by("checkpoint", maintain_order=True)]
    reported = [part.filter(pl.col("suite") != VIEWS) for part in parts]
    return Tables.of(
        measurements=conform(measured, MEASUREMENTS | IS_CHOSEN),
        cells=conform([{k: v for k, v in row.items() if k in columns} for row in cells], columns),
        all_items=parts,
        scores=in_memory(reported),
    )


def cell(method: str, rate: float | None, seed: int) -> dict:
    return {"dataset": "scenes", "format": "default", "method": method, "learning_rate": rate, "seed": seed}


def asked(method: str, probe: str, seed: int) -> dict:
    suite = "own" if probe == "scenes" else VIEWS
    probed = {
        "suite": suite,
        "probe": probe,
        "probe_kind": "choice",
        "probe_format": "default",
        "split": "test",
        "shots": 0,
    }
    return cell(method, RATES[1], seed) | probed


def text_row(method: str, rate: float | None, seed: int, value: float) -> dict:
    probed = {"suite": "pretraining", "probe": "heldout", "probe_kind": "text", "probe_format": "text", "split": "test"}
    return cell(method, rate, seed) | probed | {"shots": 0, "metric": "loss", "value": value}


def answer_row(method: str, rate: float | None, seed: int, value: float) -> dict:
    return asked(method, "scenes", seed) | {"learning_rate": rate, "metric": "answer_loss", "value": value}


def losses(place, method, rate, seed, truth, second, at, rng) -> list[dict]:
    """Losses on text and on answers of one model."""
    text = 2.0 + truth.text[second][at] + truth.sd * rng.standard_normal()
    answer = truth.answer[second][at] + 0.1 * truth.sd * rng.standard_normal()
    chosen = {"is_chosen": method in FIRST or rate == RATES[1]}
    return [place | row(method, rate, seed, value) | chosen for row, value in ((text_row, text), (answer_row, answer))]


def judged(name: str, truth: Seen, seed: int = 0, settings: Settings = SETTINGS) -> Finding:
    """Test one claim alone."""
    claim = next(one for one in CLAIMS if one.id == name)
    return adjusted([claim.test(planted(truth, seed), settings)], settings)[0]
