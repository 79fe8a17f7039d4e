"""Curves over pre-training that findings on overtraining read: losses and displacements, [checkpoints, repeats].

A curve belongs to one or more pre-training runs that differ by their seed alone. Untrained checkpoints are left out,
which have nothing to lose, and so are annealed twins, as in all trends, unless all of a series are annealed. Losses are
in nats a token.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.findings.caveats import MIN_RUNS
from ripeness.findings.finding import Settings
from ripeness.tables.intervals import mean_or_null
from ripeness.tables.single_numbers import as_number

PLACE = ["series", "checkpoint", "tokens", "phase"]
TREATED = ["probe", "dataset", "method", "learning_rate"]  # what tells curves of tuned models apart
NOISE = ["probe", "normalisation", "scale"]  # and those of perturbed ones
TEXT = "text"  # the kind of probe that is running text

Measured = tuple[int, object, float | None]  # tokens, repeat and value


@dataclass(frozen=True)
class Curve:
    """Values [checkpoints, repeats] at increasing tokens, NaN where not measured; `key` tells curves apart.

    `repeats` names the columns: pre-training run and seed, or the run alone where there are enough of them.
    """

    key: Mapping[str, object]
    runs: tuple[str, ...]
    tokens: np.ndarray
    values: np.ndarray
    repeats: tuple[tuple[str, ...], ...]

    @property
    def rate(self) -> float:
        """The learning rate of a curve of tuned models."""
        return as_number(self.key["learning_rate"])

    @property
    def mean(self) -> np.ndarray:
        """The mean over repeats [checkpoints]; NaN where one of them is missing."""
        return self.values.mean(axis=1)

    @property
    def is_whole(self) -> bool:
        """Whether every repeat was measured at every checkpoint."""
        return bool(np.isfinite(self.values).all())


def in_trend(frame: pl.DataFrame) -> pl.DataFrame:
    """Select trained checkpoints of one phase.

    Stable ones where a series has two of them, else all but annealed, else all, as for scores (`pairs.trend`).
    """
    stable = pl.col("checkpoint").filter(pl.col("phase") == "stable").n_unique().over("series") >= 2
    others = (pl.col("phase") != "annealed").any().over("series")
    kept = pl.when(stable).then(pl.col("phase") == "stable").otherwise((pl.col("phase") != "annealed") | ~others)
    return frame.filter(pl.col("tokens") > 0).filter(kept)


def curves_of(frame: pl.DataFrame, keys: Sequence[str], repeat: str, settings: Settings) -> list[Curve]:
    """Make curves of `value` by `keys` from rows with series, checkpoint, tokens, phase; average rows of a repeat.

    The average is NaN where one of them has no number. Runs that the settings call repeats of each other (`runs`) and
    that have the same tokens make one curve.
    """
    rows = in_trend(frame)
    if rows.is_empty():
        return []
    run = pl.col("series").replace_strict(dict(settings.runs), default=pl.col("series"))
    means = rows.with_columns(run=run).group_by("run", "series", *keys, "tokens", repeat).agg(mean_or_null("value"))
    # one pass over the rows: a frame for each curve and run takes far longer than all else
    parts: dict[tuple, dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    for run_, series, *values, tokens, name, value in means.select(
        "run", "series", *keys, "tokens", repeat, "value"
    ).iter_rows():
        parts[run_, *values][series].append((tokens, name, value))
    found = []
    for run_, *values in sorted(parts, key=str):
        own = parts[run_, *values]
        grids: dict[tuple[int, ...], dict[str, list[Measured]]] = defaultdict(dict)
        for series in sorted(own):
            grids[tuple(sorted({tokens for tokens, _, _ in own[series]}))][series] = own[series]
        key = dict(zip(keys, values, strict=True))
        found += [curve_of(key, tokens, runs) for tokens, runs in grids.items()]
    return found


def curve_of(key: Mapping[str, object], tokens: tuple[int, ...], runs: Mapping[str, Sequence[Measured]]) -> Curve:
    """Make one curve of runs with the same tokens: a column per run and repeat, or per run where MIN_RUNS exist."""
    columns: dict[tuple[str, ...], np.ndarray] = {}
    place = {count: row for row, count in enumerate(tokens)}
    for series, measured in runs.items():
        names = sorted({name for _, name, _ in measured}, key=str)
        own = np.full((len(tokens), len(names)), np.nan)
        for count, name, value in measured:
            own[place[count], names.index(name)] = np.nan if value is None else value
        if len(runs) >= MIN_RUNS:
            columns[(series,)] = own.mean(axis=1)
        else:
            columns |= {(series, str(name)): own[:, column] for column, name in enumerate(names)}
    values = np.stack(list(columns.values()), axis=1)
    return Curve(key, tuple(runs), np.array(tokens, float), values, tuple(columns))


def text_losses(measurements: pl.DataFrame, settings: Settings) -> list[Curve]:
    """Collect loss on running text after tuning, by text, dataset, method and rate; formats are averaged."""
    rows = measurements.filter(pl.col("probe_kind") == TEXT, pl.col("metric") == "loss", pl.col("method") != "base")
    return curves_of(rows, TREATED, "seed", settings)


def answer_losses(measurements: pl.DataFrame, settings: Settings) -> list[Curve]:
    """Collect loss of right answers after tuning, on test items of the dataset and in the format tuned on."""
    own = (pl.col("probe") == pl.col("dataset")) & (pl.col("probe_format") == pl.col("format"))
    rows = measurements.filter(
        own, pl.col("metric") == "answer_loss", pl.col("method") != "base", pl.col("split") == "test"
    )
    # suites may ask the same with several numbers of shots
    rows = rows.filter(pl.col("shots") == pl.col("shots").min().over("dataset"))
    return curves_of(rows, TREATED, "seed", settings)


def displacements(cells: pl.DataFrame, settings: Settings) -> list[Curve]:
    """Collect how far tuning moved the weights, by dataset, method and rate."""
    rows = cells.filter(pl.col("displacement").is_not_null(), pl.col("status") == "done")
    return curves_of(rows.rename({"displacement": "value"}), TREATED[1:], "seed", settings)


def noise_increases(sensitivity: pl.DataFrame, settings: Settings) -> list[Curve]:
    """Make curves of what noise adds to the loss, by text, normalisation and scale; a repeat is a seed of the noise."""
    return noise_curves(sensitivity, "increase", settings)


def noise_losses(sensitivity: pl.DataFrame, settings: Settings) -> list[Curve]:
    """Make curves of the loss with noise on the weights, by text, normalisation and scale."""
    return noise_curves(sensitivity, "loss", settings)


def noise_curves(sensitivity: pl.DataFrame, column: str, settings: Settings) -> list[Curve]:
    """Make curves of a column of perturbation by noise; a loss that is not a number (null) is larger than any."""
    value = pl.col(column)
    rows = sensitivity.filter(pl.col("perturbation") == "noise")
    rows = rows.with_columns(value=pl.when(value.is_finite()).then(value).otherwise(np.inf))
    return curves_of(rows, NOISE, "noise_seed", settings)


def averaged(curves: Sequence[Curve]) -> Curve | None:
    """Average curves with the same runs, tokens and repeats; None for none.

    Of curves with different ones the kind with the most runs counts, then that with the most tokens.
    """
    kinds: dict[tuple, list[Curve]] = {}
    for curve in curves:
        kinds.setdefault((curve.runs, tuple(curve.tokens), curve.repeats), []).append(curve)
    if not kinds:
        return None
    (runs, tokens, repeats), best = max(kinds.items(), key=lambda pair: (len(pair[0][0]), pair[0][1][-1], pair[0][0]))
    values = np.mean([curve.values for curve in best], axis=0)
    return Curve({}, runs, np.array(tokens), values, repeats)


def matching(curves: Sequence[Curve], other: Curve, keys: Sequence[str]) -> Curve | None:
    """Find the curve of the same runs, tokens and repeats as another and with the same `keys`."""
    for curve in curves:
        is_same = (curve.runs, tuple(curve.tokens), curve.repeats) == (other.runs, tuple(other.tokens), other.repeats)
        if is_same and all(curve.key[name] == other.key[name] for name in keys):
            return curve
    return None


def words(curve: Curve, keys: Sequence[str]) -> str:
    """Name a curve by some of its keys: "nursery-mood, full, 0.001"."""
    return ", ".join(
        f"{curve.key[key]:g}" if isinstance(curve.key[key], float) else str(curve.key[key]) for key in keys
    )


def by_rank(values: np.ndarray) -> np.ndarray:
    """Replace values that are not finite by one that is larger than all else."""
    return np.where(np.isfinite(values), values, np.finfo(float).max)


def grouped(curves: Sequence[Curve], key: Callable[[Curve], str]) -> dict[str, list[Curve]]:
    """Group curves by a name that each has, in order of appearance."""
    found: dict[str, list[Curve]] = {}
    for curve in curves:
        found.setdefault(key(curve), []).append(curve)
    return found
