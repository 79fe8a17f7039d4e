"""Contrast pairs of models item by item, with prompts and outputs, for the page, up to a number of bytes.

Pairs of models are tuned against untouched, checkpoint against checkpoint, and method against method, on one dataset.
Those whose mean score changed most come first, until the bytes are used up.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ripeness.report.answers import Answers, Model, Probe, scores_of
from ripeness.study.study_config import BASE
from ripeness.tables.changed_items import MOST_ITEMS, TIES
from ripeness.tables.examples import read_examples

MOST_PAIRS = 1000  # of which items are looked for
SAID = ["score", "output", "logp_gold", "margin"]  # of both models, in this order


class Contrast(NamedTuple):
    """Two models on one probe, and how far apart their mean scores are."""

    first: Model
    second: Model
    probe: Probe
    change: float


def item_contrasts(answers: Answers, texts: Mapping[tuple[str, str], Path], *, most_bytes: int) -> dict[str, Any]:
    """Collect the items of as many contrasts as fit into the bytes; `texts` names examples by (dataset, format).

    Returns models, contrasts by "<first> <second> <probe>" (places in `models` and `names`), prompts by
    "<probe> <format> <item>", and how many contrasts there are and are here.
    """
    contrasts = sorted(contrasts_of(answers), key=lambda one: (-one.change, one.probe.name, one.first, one.second))
    models: dict[Model, int] = {}
    names: dict[str, int] = {}
    found: dict[str, Any] = {}
    asked: dict[str, Any] = {}
    prompts, used = Prompts(texts), 0
    for one in contrasts[:MOST_PAIRS]:
        entry = most_changed(answers, one)
        places = {f"{one.probe.name} {form} {item}": (form, item) for item, form, *_ in entry}
        new = {key: prompts.of(one.probe.name, *place) for key, place in places.items() if key not in asked}
        used += (size := len(json.dumps([entry, new], ensure_ascii=False).encode()))
        if used > most_bytes:
            used -= size
            continue
        codes = (
            models.setdefault(one.first, len(models)),
            models.setdefault(one.second, len(models)),
            names.setdefault(one.probe.name, len(names)),
        )
        found[" ".join(map(str, codes))] = entry
        asked |= new
    return {
        "models": list(models), "names": list(names), "contrasts": found, "prompts": asked, "n": len(contrasts),
        "n_here": len(found),
    }  # fmt: skip


def contrasts_of(answers: Answers) -> Iterator[Contrast]:
    """List the pairs of models that are worth comparing on each probe."""
    for probe in answers.probes.values():
        means = {model: float(np.nanmean(scores_of(answers, places))) for model, places in probe.rows.items()}
        for first, second in partners(list(probe.rows), probe.name, answers.checkpoints):
            yield Contrast(first, second, probe, abs(means[second] - means[first]))


def partners(models: Sequence[Model], probe: str, order: Sequence[tuple[str, str]]) -> list[tuple[Model, Model]]:
    """Pair models measured on a probe: each tuned one with the untouched one, and own ones with each other."""
    rank = {place: number for number, place in enumerate(order)}
    base = {model[:2]: model for model in models if model.method == BASE}
    found = [(base[m[:2]], m) for m in models if m.method != BASE and m[:2] in base]
    own = [model for model in models if model.dataset == probe]
    for name in sorted({model.method for model in own}):
        found += combinations(sorted((m for m in own if m.method == name), key=lambda m: rank[m[:2]]), 2)
    for place in order:
        found += combinations([m for m in own if m[:2] == place and m.method != BASE], 2)
    return found


def most_changed(answers: Answers, one: Contrast) -> list[list[Any]]:
    """List the items whose mean score changed most, then those whose likelihoods did.

    Of each item the answers in the format and seed that changed most: item, format, seed, then SAID of both models.
    """
    places = [one.probe.rows[model] for model in (one.first, one.second)]
    if all(model.method == BASE for model in (one.first, one.second)):
        places = [part[:, :1] for part in places]
    is_asked = (places[0] >= 0) & (places[1] >= 0)
    score, logp = (
        np.where(is_asked, column[places[1]] - column[places[0]], np.nan)
        for column in (answers.score, answers.columns[TIES].to_numpy())
    )
    logp = np.where(is_asked, np.nan_to_num(logp), np.nan)
    kept = np.flatnonzero(is_asked.any(axis=(0, 1)))
    by_score, by_logp = (np.abs(np.nanmean(part[..., kept], axis=(0, 1))) for part in (score, logp))
    order = np.lexsort((by_logp, by_score.round(9)))[::-1]
    order = order[(by_score[order] > 0) | (by_logp[order] > 0)][:MOST_ITEMS]
    found = []
    for item in kept[order]:
        own = np.abs(score[..., item]) * 1e6 + np.abs(logp[..., item])  # a changed score comes before any likelihood
        form, seed = np.unravel_index(np.nanargmax(own), own.shape)
        rows = [int(part[form, seed, item]) for part in places]
        name = one.probe.seeds[seed] if one.second.method != BASE else None
        said = [value_at(answers, column, row) for column in SAID for row in rows]
        found.append([one.probe.items[item], one.probe.formats[form], name, *said])
    return found


def value_at(answers: Answers, column: str, row: int) -> Any:
    """Read one value of an answer; numbers are rounded."""
    value = answers.columns[column][row]
    return round(value, 4) if isinstance(value, float) else value


class Prompts:
    """Prompts of test items, read from the examples of a dataset and format when one is needed."""

    def __init__(self, texts: Mapping[tuple[str, str], Path]) -> None:
        """Take the files of examples by (dataset, format)."""
        self.texts = texts
        self.known: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def of(self, probe: str, form: str, item: str) -> dict[str, Any]:
        """Return the prompt and the right answer of an item; nothing where the examples are not there any more."""
        if (probe, form) not in self.known:
            path = self.texts.get((probe, form))
            rows = read_examples(path) if path and path.is_file() else []
            self.known[probe, form] = {row["item"]: row for row in rows}
        row = self.known[probe, form].get(item)
        if row is None:
            return {}
        turns = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in row["turns"] or [])
        return {"prompt": turns or row["prompt"], "right": row["target"]}
