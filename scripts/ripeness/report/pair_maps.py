"""Maps of all pairs: checkpoint against checkpoint for each method, method against method at each checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ripeness.findings.finding import Settings
from ripeness.report.answers import Answers, Model, compared
from ripeness.stats.all_pairs import LOST, UNDECIDED, WON, Pair, compare_all
from ripeness.study.study_config import BASE

MOST_CHECKPOINTS = 24  # in a map; of more, so many evenly spaced ones
FEW = 4  # checkpoints whose map is on the first screen, with all of its numbers


def pair_maps(answers: Answers, settings: Settings) -> dict[str, Any] | None:
    """Make the maps of models on the dataset that they were tuned on; None where no two can be compared.

    `checkpoints` and `methods` are lists of maps: the name of what is held fixed, and a map for each dataset.
    """
    places = answers.checkpoints
    several = len({series for series, _ in places}) > 1
    names = {place: ": ".join(place) if several else place[1] for place in places}
    shown = spaced(places)
    methods = in_turn(answers, settings.method)
    by_checkpoint = [
        {"name": method, "maps": maps_of(answers, {names[place]: (*place, method) for place in shown}, settings)}
        for method in methods
    ]
    by_method = [
        {"name": names[place], "maps": maps_of(answers, {method: (*place, method) for method in methods}, settings)}
        for place in reversed(shown)
    ]
    found = {"checkpoints": by_checkpoint, "methods": by_method}
    found = {kind: [group for group in groups if group["maps"]] for kind, groups in found.items()}
    if not any(found.values()):
        return None
    return found | {
        "is_few": len(shown) <= FEW,
        "n_left_out": len(places) - len(shown),
        "smallest": settings.smallest_effect,
        "confidence": settings.confidence,
        "places": {name: list(place) for place, name in names.items()},
    }


def in_turn(answers: Answers, first: str) -> list[str]:
    """Order the methods: the study's own first, the untouched model last."""
    methods = {model.method for probe in answers.probes.values() for model in probe.rows}
    return sorted(methods, key=lambda name: (name == BASE, name != first, name))


def spaced(places: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Keep at most MOST_CHECKPOINTS, evenly spaced, the last one among them."""
    if len(places) <= MOST_CHECKPOINTS:
        return list(places)
    return [places[round(k * (len(places) - 1) / (MOST_CHECKPOINTS - 1))] for k in range(MOST_CHECKPOINTS)]


def maps_of(answers: Answers, wanted: Mapping[str, tuple[str, str, str]], settings: Settings) -> list[dict[str, Any]]:
    """Make a map for each dataset on which two or more of the models (by name) were measured."""
    maps = []
    for probe in answers.probes.values():
        models = {name: Model(*who, probe.name) for name, who in wanted.items()}
        models = {name: model for name, model in models.items() if model in probe.rows}
        found = compared(answers, probe, models.values()) if len(models) > 1 else None
        if found is None:
            continue
        pairs = compare_all(
            found.scores,
            found.clusters,
            found.is_fixed,
            confidence=settings.confidence,
            smallest=settings.smallest_effect,
        )
        if pairs:
            maps.append(map_of(probe.name, list(models), found.scores, pairs))
    return maps


def map_of(dataset: str, names: list[str], scores: np.ndarray, pairs: list[Pair]) -> dict[str, Any]:
    """Lay one map out: a row of cells for each model, `None` above the diagonal, and its wins over all others."""
    by_place = {(pair.second, pair.first): pair for pair in pairs}
    size = max(0.05, *(abs(pair.effect) for pair in pairs))
    rows = []
    for place, name in enumerate(names):
        own = [pair for pair in pairs if place in (pair.first, pair.second)]
        cells = [as_cell(by_place[place, other], size) for other in range(place)]
        mean = float(np.nanmean(scores[place].mean(axis=0)))
        rows.append({"name": name, "mean": mean, "cells": cells, "counts": outcomes(own, place)})
    n_formats = scores.shape[1]
    return {
        "dataset": dataset,
        "names": names,
        "rows": rows,
        "n_formats": n_formats,
        "n_items": pairs[0].n_items,
        "n_seeds": pairs[0].n_seeds,
        "covers_seeds": all(pair.covers_seeds for pair in pairs),
    }


def outcomes(pairs: list[Pair], place: int) -> dict[str, int]:
    """Count the pairs that a model wins, loses, and that stay undecided."""
    turned = {WON: LOST, LOST: WON, UNDECIDED: UNDECIDED}
    said = [pair.outcome if pair.second == place else turned[pair.outcome] for pair in pairs]
    return {name: said.count(name) for name in (WON, LOST, UNDECIDED)}


def as_cell(pair: Pair, size: float) -> dict[str, Any]:
    """Add what is shown of a pair: numbers in points, and how strong its colour is, from 0 to 1."""
    return asdict(pair) | {
        "text": points(pair.effect, sign=True),
        "interval": f"{points(pair.low, sign=True)} to {points(pair.high, sign=True)}",
        "detects": points(pair.detectable),
        "needs": "more seeds" if pair.items_needed is None else f"{pair.items_needed:,} items",
        "strength": round(min(1.0, abs(pair.effect) / size), 2),
        "side": "better" if pair.effect > 0 else "worse" if pair.effect < 0 else "",
    }


def points(share: float, *, sign: bool = False) -> str:
    """Write a share in points (hundredths): 0.018 is 1.8, with its sign +1.8."""
    text = f"{100 * share:{'+' if sign else ''}.1f}"
    return {"+0.0": "0.0", "-0.0": "0.0"}.get(text, text).replace("-", "−")
