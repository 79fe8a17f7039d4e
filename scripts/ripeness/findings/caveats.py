"""What an interval covers and what was missing: words and caveats that come from the data, not the claim."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ripeness.findings.finding import Finding, Settings, listed
from ripeness.findings.pairs import trend
from ripeness.findings.scores import Point, Row, Scores
from ripeness.stats.resampling import Level

MIN_RUNS = 3  # from which the variation between pre-training runs is estimated


def levels_of(rows: list[Row]) -> list[Level]:
    """Say what repeats above the items: seeds of a dataset's tuning, and runs where there are enough."""
    unit = np.array([f"{row.series}/{row.dataset}" for row in rows])
    levels = [Level(unit=unit, member=np.array([str(row.seed) for row in rows]))]
    series = np.array([row.series for row in rows])
    if len(np.unique(series)) >= MIN_RUNS:
        levels.append(Level(unit=np.zeros(len(rows), int), member=series))
    return levels


def n_seeds_of(rows: list[Row]) -> int:
    """Count the tuning seeds of the dataset with the fewest."""
    seeds: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        seeds.setdefault((row.series, row.dataset), set()).add(row.seed)
    return min((len(found) for found in seeds.values()), default=0)


def is_borrowed(rows: list[Row]) -> bool:
    """Say whether datasets with one tuning seed borrow the variation of seeds from others with more."""
    return n_seeds_of(rows) == 1 and len({(row.series, row.dataset, row.seed) for row in rows}) > len(
        {(row.series, row.dataset) for row in rows}
    )


def most_checkpoints(rows: list[Row]) -> int:
    """Count the most checkpoints of one series that rows of tuned models are from."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.series, set()).add(row.checkpoint)
    return max(map(len, found.values()), default=0)


def with_counts(finding: Finding, scores: Scores, rows: list[Row], *, n_items: int) -> Finding:
    """Put into a finding on tuned models how much it rests on."""
    return replace(
        finding,
        covers=covers_at_large(len(scores.checkpoints), rows),
        n_seeds=n_seeds_of(rows),
        n_checkpoints=len({(row.series, row.checkpoint) for row in rows}),
        n_items=n_items,
    )


def covers(n_series: int, n_seeds: int) -> str:
    """Say in words what an interval covers; `n_seeds` 0 is a statement about untouched checkpoints only."""
    seeds = {0: " and checkpoints", 1: " (one tuning seed: variation between seeds is not covered)"}
    covered = "the sampling of test items" + seeds.get(n_seeds, f" and {n_seeds} tuning seeds")
    if n_series >= MIN_RUNS:
        return f"{covered} and {n_series} pre-training runs; the datasets are taken as they are"
    runs = "one pre-training run" if n_series == 1 else f"{n_series} pre-training runs"
    return f"{covered}; {runs} and the datasets are taken as they are"


def covers_at_large(n_series: int, rows: list[Row]) -> str:
    """Say in words what the interval of tuned models on datasets like these covers; no rows for untouched models."""
    n_seeds = n_seeds_of(rows)
    seeds = {0: [], 1: [] if not is_borrowed(rows) else ["tuning seeds (borrowed from the datasets with several)"]}
    covered = ["datasets", "checkpoints", "test items", *seeds.get(n_seeds, [f"{n_seeds} tuning seeds"])]
    if n_series >= MIN_RUNS:
        return listed([*covered, f"{n_series} pre-training runs"])
    runs = (
        "one pre-training run is taken as it is" if n_series == 1 else f"{n_series} pre-training runs are taken as is"
    )
    return f"{listed(covered)}; {runs}"


def shared_caveats(scores: Scores, rows: list[Row], settings: Settings) -> list[str]:
    """List caveats on runs, seeds, annealed checkpoints and learning rates of these tuned rows."""
    caveats = []
    if len(scores.checkpoints) < MIN_RUNS:
        caveats.append("Checkpoints of one pre-training run share its seed: the result is about this run alone.")
    seeds = n_seeds_of(rows)
    if seeds == 1 and is_borrowed(rows):
        caveats.append("Some datasets have one tuning seed: seeds are taken to differ there as they do on the others.")
    elif seeds == 1:
        caveats.append("One tuning seed: no interval covers how seeds differ.")
    elif seeds == 2:
        caveats.append("Two tuning seeds give a rough idea of their variation; the interval is wide for it.")
    apart = [p for points in scores.checkpoints.values() for p in set(points) - set(trend(points))]
    if apart:
        caveats.append(
            f"{listed(sorted({p.checkpoint for p in apart}))} left out of the trend: "
            "taken at another learning rate of pre-training."
        )
    if rows and scores.n_learning_rates > 1:
        caveats.append(f"Cells of {settings.method} at up to {scores.n_learning_rates} learning rates are averaged.")
    return caveats


def missing_cells(scores: Scores, rows: list[Row], points: Iterable[Point]) -> list[str]:
    """Warn of tuned cells that these checkpoints should have and lack (missing or diverged)."""
    points = list(points)
    there = {(row.series, row.checkpoint, row.dataset, row.format, row.seed) for row in rows}
    designs = {(row.series, row.dataset, row.format, row.seed) for row in rows}
    expected = {
        (point.series, point.checkpoint, dataset, format_, seed)
        for point in points
        for series, dataset, format_, seed in designs
        if series == point.series
    }
    absent = expected - there
    if not absent:
        return []
    return [
        f"{len(absent)} of {len(expected)} tuned cells are missing or diverged and left out: "
        "the others may be the better ones."
    ]


def one_answer(scores: Scores, asked: Iterable[tuple[Row, str]]) -> list[str]:
    """Warn of tuned models, each with a probe, that give one answer to all items of the probe."""
    asked = set(asked)
    found = asked & scores.one_answer
    if not found:
        return []
    probes = listed(sorted({probe for _, probe in found}))
    return [
        f"Warning: in {len(found)} of {len(asked)} measurements of tuned models all answers are the same ({probes}): "
        "such a score is the share of one answer, whatever was learned, and its change does not measure skill."
    ]
