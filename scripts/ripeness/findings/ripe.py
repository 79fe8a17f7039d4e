"""Name the checkpoint to tune: chosen on validation items, judged on test items.

For every series, method and dataset: the checkpoint whose tuned models score best on validation items, the checkpoints
that may as well be the best on test items (a confidence set, see stats/best.py), and what the last checkpoint costs
against the chosen one. The same for all datasets together, with the study's weights. Scores of a model are averaged
over the formats that it was tuned in. A training that failed counts as not there.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings, number
from ripeness.runtime.wording import human
from ripeness.stats.best import Best, choose, judge_best
from ripeness.stats.resampling import Estimate
from ripeness.tables.columns import REPORTED

ALL = "all datasets"
ID = "ripe"
CLAIM = "Which checkpoint is ripe for tuning?"
MODEL = ["series", "checkpoint", "method", "probe", "seed"]
POINT = ["series", "checkpoint", "step", "tokens"]


@dataclass(frozen=True)
class Answer:
    """The checkpoint to tune for one dataset, or for all; differences are chosen minus other, in shares of 1.

    `statement` says it in words. `checkpoint` is None where nothing could be chosen; `statement` then says why. `lacks`
    says what a study of models would have and published tables have not.
    """

    series: str
    method: str
    dataset: str
    statement: str
    checkpoint: str | None = None
    may_be_best: tuple[str, ...] = ()
    last: str | None = None
    last_is_worse_by: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    n_seeds: int = 0
    n_items: int = 0
    lacks: str = ""


def ripe_answers(tables: Iterable[pl.LazyFrame], settings: Settings) -> list[Answer]:
    """Answer for every series of two or more checkpoints, every method and dataset, all datasets first.

    `tables` are items tables with validation items in them.
    """
    frames = [own_scores(table, settings) for table in tables]
    scores = pl.concat(frames) if frames else pl.DataFrame()
    answers: list[Answer] = []
    if scores.is_empty():
        return answers
    methods = sorted(scores["method"].unique(), key=lambda name: (name != settings.method, name))
    for series in sorted(scores["series"].unique()):
        for method in methods:
            part = scores.filter(series=series, method=method)
            if part["checkpoint"].n_unique() > 1:
                answers += answers_of(part, series, method, settings)
    return answers


def own_scores(table: pl.LazyFrame, settings: Settings) -> pl.DataFrame:
    """Average each tuned model's scores over formats on each item of the dataset that it was tuned on."""
    own = table.filter(
        REPORTED | (pl.col("is_chosen") & (pl.col("split") == "validation")),
        pl.col("method") != "base",
        pl.col("dataset") == pl.col("probe"),
        pl.col("format") == pl.col("probe_format"),
        pl.col("shots") == settings.shots,
        pl.col("probe_kind").is_in(["choice", "generation"]),
    )
    keys = [*dict.fromkeys([*POINT, *MODEL]), "split", "item", "format"]
    return own.select(*keys, pl.col("score").fill_nan(None)).drop_nulls("score").unique(keys).sort(keys).collect()


def answers_of(scores: pl.DataFrame, series: str, method: str, settings: Settings) -> list[Answer]:
    """Answer for all datasets together, then for each."""
    points = scores.select(POINT).unique().sort("tokens", "step", "checkpoint").rows(named=True)
    datasets = sorted(scores["probe"].unique())
    parts = {name: matrices(scores.filter(probe=name), [point["checkpoint"] for point in points]) for name in datasets}
    lacking = [name for name, part in parts.items() if "validation" not in part or "test" not in part]
    whole = [name for name in datasets if name not in lacking]
    answers = []
    if len(whole) > 1:
        answers.append(answer(series, method, ALL, points, {name: parts[name] for name in whole}, settings))
    for name in datasets:
        if name in lacking:
            reason = f"For {name}: nothing can be chosen, since no validation items were measured."
            answers.append(Answer(series, method, name, reason))
        else:
            answers.append(answer(series, method, name, points, {name: parts[name]}, settings))
    return answers


def matrices(scores: pl.DataFrame, checkpoints: list[str]) -> dict[str, np.ndarray]:
    """Arrange scores as [checkpoints, seeds, items] by split; NaN where a format failed or was not measured."""
    n_formats, seeds = scores["format"].n_unique(), sorted(scores["seed"].unique())
    found = {}
    for (split,), part in scores.group_by("split"):
        whole = part.group_by("checkpoint", "seed", "item").agg(pl.col("score").mean(), n=pl.len())
        whole = whole.filter(pl.col("n") == n_formats)
        items = {name: place for place, name in enumerate(sorted(whole["item"].unique()))}
        values = np.full((len(checkpoints), len(seeds), len(items)), np.nan)
        for checkpoint, seed, item, value in whole.select("checkpoint", "seed", "item", "score").iter_rows():
            values[checkpoints.index(checkpoint), seeds.index(seed), items[item]] = value
        found[str(split)] = values
    return found


def answer(
    series: str,
    method: str,
    dataset: str,
    points: list[dict],
    parts: dict[str, dict[str, np.ndarray]],
    settings: Settings,
) -> Answer:
    """Choose on the validation items of some datasets, and judge on their test items."""
    there = has_scores(parts, len(points))
    if there.sum() < 2:
        return Answer(series, method, dataset, f"For {dataset}: fewer than two checkpoints were tuned without failing.")
    points = [point for point, is_there in zip(points, there, strict=True) if is_there]
    weights = np.array([settings.weights.get(name, 1.0) for name in parts])
    validation = np.sum(
        [weight * mean_scores(part["validation"][there]) for weight, part in zip(weights, parts.values(), strict=True)],
        axis=0,
    )
    chosen = choose(validation[:, None, None])
    test = [part["test"][there] for part in parts.values()]
    best = judge_best(test, list(weights), chosen, confidence=settings.confidence)
    last = best.differences[-1]
    return Answer(
        series,
        method,
        dataset,
        statement(dataset, points, best, int(np.isclose(validation, validation[chosen], rtol=0).sum())),
        checkpoint=points[chosen]["checkpoint"],
        may_be_best=tuple(p["checkpoint"] for p, may in zip(points, best.may_be_best, strict=True) if may),
        last=points[-1]["checkpoint"],
        last_is_worse_by=number(last.effect) if last else 0.0,
        low=finite(last.low) if last else None,
        high=finite(last.high) if last else None,
        confidence=settings.confidence,
        n_seeds=int(min(np.isfinite(part).any(axis=2).sum(axis=1).min() for part in test)),
        n_items=int(sum(part.shape[2] for part in test)),
    )


def has_scores(parts: dict[str, dict[str, np.ndarray]], n_checkpoints: int) -> np.ndarray:
    """Tell of each checkpoint whether it has a score on both splits of every dataset."""
    values = [part[split] for part in parts.values() for split in ("validation", "test")]
    return np.array([all(np.isfinite(one[place]).any() for one in values) for place in range(n_checkpoints)])


def mean_scores(values: np.ndarray) -> np.ndarray:
    """Average the scores of each checkpoint."""
    return np.nanmean(values, axis=(1, 2))


def finite(value: float) -> float | None:
    """Return a number that JSON has; None for an interval without an end."""
    return float(value) if np.isfinite(value) else None


def statement(dataset: str, points: list[dict], best: Best, n_equal: int) -> str:
    """Say which checkpoint to tune, which cannot be distinguished from it, and what the last one costs.

    `n_equal` checkpoints score as the chosen one does on validation items; it is the first of them.
    """
    chosen, last = points[best.chosen], best.differences[-1]
    name = f"{named(chosen)} ({human(chosen['tokens'])} tokens)" if chosen["tokens"] is not None else named(chosen)
    others = [place for place, may in enumerate(best.may_be_best) if may and place != best.chosen]
    if best.can_tell and len(others) == len(points) - 1:
        scored = "scored best" if n_equal == 1 else f"is the first of the {n_equal} that scored best"
        text = f"For {dataset}: no checkpoint can be distinguished from another; {name} {scored} on validation items."
    else:
        text = f"For {dataset}: tune {name}."
    if not best.can_tell:
        sole = "with one training seed it cannot be distinguished from the others"
        return f"{text} It scored best on validation items; {sole}."
    if not best.may_be_best[best.chosen]:
        text += f" On test items another one is better: {ranges(points, others)}."
    elif others and len(others) < len(points) - 1:
        text += f" Not distinguishable from it: {ranges(points, others)}."
    if last is None:
        return f"{text} {is_last(chosen)}"
    return f"{text} {cost_of_last(last)}"


def cost_of_last(last: Estimate) -> str:
    """Say how much worse or better the last checkpoint is; `last` is chosen minus last, in shares of 1."""
    sign, verb = (100, "worse") if last.effect >= 0 else (-100, "better")
    # + 0.0 makes zero of minus zero
    low, effect, high = (round(sign * value, 1) + 0.0 for value in (last.low, last.effect, last.high))
    low, high = sorted((low, high))
    if not effect:
        return f"The last checkpoint scores the same (difference 0.0 points [{low:.1f}, {high:.1f}])."
    return f"The last checkpoint is {effect:.1f} points [{low:.1f}, {high:.1f}] {verb}."


def is_last(chosen: dict) -> str:
    """Say that the chosen checkpoint is the last one."""
    name = named(chosen)
    return f"{'S' + name[1:] if name.startswith('step ') else name} is the last checkpoint."


def named(point: dict) -> str:
    """Name a checkpoint as people do: by its step, where its name is that."""
    return f"step {point['step']:,}" if point["checkpoint"] == f"step{point['step']}" else point["checkpoint"]


def ranges(points: list[dict], places: list[int]) -> str:
    """Name checkpoints, neighbours as one range: "step 64, step 512 to step 2,048"."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    ends = [dict.fromkeys([named(points[run[0]]), named(points[run[-1]])]) for run in runs]
    return ", ".join(" to ".join(names) for names in ends)


def as_entry(answers: list[Answer], settings: Settings) -> dict[str, object]:
    """Make the answers an entry of findings.json: the first one of the study's method in words, and all in numbers."""
    first = [one for one in answers if one.method == answers[0].method]
    leading = [one for one in first if one.dataset == ALL] or first
    lacks = sorted({one.lacks for one in leading if one.lacks})
    several = len({one.series for one in leading}) > 1
    return {
        "id": ID,
        "claim": CLAIM,
        "verdict": "answered" if any(one.checkpoint for one in leading) else "undecided",
        "statement": " ".join(
            [*(f"{one.series}: {one.statement}" if several else one.statement for one in leading), *lacks]
        ),
        "confidence": settings.confidence,
        "answers": [asdict(one) for one in answers],
    }
