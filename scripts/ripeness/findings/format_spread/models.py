"""Models asked for the same items in several formats, and whether a format had anything to change.

Datasets are taken one by one and their checkpoints one by one, so that bootstrap draws are there for one dataset only.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.pairs import floors, generator, measured_blocks, trend, weights_of
from ripeness.findings.scores import Block, Point, Row, Scores
from ripeness.stats.resampling import format_variance, mean_of, null_spread, permuted, spread

Key = int | tuple[str, str, str]  # of a tuned model in one format its row, of an untouched one its place in Block.base
Asked = dict[Row, list[Key]]  # models asked in all formats: a key for each


@dataclass(frozen=True)
class Group:
    """One dataset at one checkpoint: its models, as measured, and whether there is anything for a format to change.

    `variance` [models] over formats, noise removed, and `score` [models, formats]; `spread`, `null` and `null_high`
    are those of the mean model: best minus worst format, by chance alone, and the end of that band. `alone` is the
    share of the item variance of the mean over models that models do not share.
    """

    dataset: str
    point: Point
    rows: list[Row]
    variance: np.ndarray
    score: np.ndarray
    spread: float
    null: float
    null_high: float
    is_off_floor: bool
    alone: float


@dataclass(frozen=True)
class Unit:
    """One dataset in one series: groups that make a trend, and how the deviation falls, measured and drawn [1 + n]."""

    groups: list[Group]
    fall: np.ndarray

    @property
    def dataset(self) -> str:
        """The dataset of all groups."""
        return self.groups[0].dataset


@dataclass
class Models:
    """What models of one condition (tuned or untouched) do with formats: units off the floor, and with all groups."""

    groups: list[Group] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    all_units: list[Unit] = field(default_factory=list)
    n_items: int = 0

    @property
    def rows(self) -> list[Row]:
        """All models."""
        return [row for group in self.groups for row in group.rows]


def models_of(measurements: pl.DataFrame, scores: Scores, settings: Settings, *, is_tuned: bool) -> Models | None:
    """Measure the models that were asked in all of a dataset's formats; None without two formats."""
    models = Models()
    blocks = []
    for block in measured_blocks(scores, settings):
        floor = {name: ground for name, (_, ground) in floors(block, measurements, scores.checkpoints).items()}
        asked = asked_in_all_formats(block, settings, is_tuned=is_tuned)
        asked = {place: keys for place, keys in asked.items() if place[0] in floor}
        if asked:
            blocks.append((block, asked, floor))
            models.n_items += block.n_items
    for series, points in scores.checkpoints.items():
        for block, asked, floor in blocks:
            here = [(point, keys) for point in points if (keys := asked.get((series, point.checkpoint)))]
            if here:
                add_dataset(models, block, here, ground=float(mean_of(floor[series])), settings=settings)
    return models if models.groups else None


def asked_in_all_formats(block: Block, settings: Settings, *, is_tuned: bool) -> dict[tuple[str, str], Asked]:
    """Find the models asked in all formats, each on its own dataset, by (series, checkpoint); others are left out."""
    found: dict[Row, dict[str, Key]] = {}
    if is_tuned:
        for index, row in enumerate(block.rows):
            if row.method == settings.method and row.dataset == block.probe:
                found.setdefault(row._replace(probe_format="all"), {})[row.probe_format] = index
    else:
        for key in block.base:
            model = Row(key[0], key[1], block.probe, "none", "base", 0, "all")
            found.setdefault(model, {})[key[2]] = key
    formats = sorted({name for asked in found.values() for name in asked})
    places: dict[tuple[str, str], Asked] = {}
    for model, asked in found.items():
        if 1 < len(formats) == len(asked):
            places.setdefault((model.series, model.checkpoint), {})[model] = [asked[name] for name in formats]
    return places


def answers_of(block: Block, asked: Asked) -> np.ndarray:
    """Read the scores [models, formats, items] of models asked in all formats."""
    keys = [key for found in asked.values() for key in found]
    tuned = [key for key in keys if isinstance(key, int)]
    values = block.values[tuned] if tuned else np.stack([block.base[key] for key in keys if isinstance(key, tuple)])
    return values.reshape(len(asked), -1, block.n_items)


def add_dataset(
    models: Models, block: Block, here: list[tuple[Point, Asked]], *, ground: float, settings: Settings
) -> None:
    """Add the groups of one dataset in one series, in order of tokens, and the trends that they make."""
    weights, rng = weights_of(block, settings), generator(settings, "formats", block.probe)
    formats = len(next(iter(here[0][1].values())))
    orders = permuted(formats, block.n_items, permutations=settings.permutations, rng=rng)
    groups, deviations = [], []
    for point, asked in here:
        values = answers_of(block, asked)
        variance = format_variance(values, weights)
        score, null = mean_of(values, axis=2), null_spread(values, orders)
        groups.append(
            Group(
                dataset=block.probe,
                point=point,
                rows=list(asked),
                variance=variance[:, 0].copy(),  # a view would keep all draws
                score=score,
                spread=float(spread(values).mean()),
                null=float(null.mean()),
                null_high=float(np.quantile(null.mean(axis=0), 0.95)),
                is_off_floor=bool(np.nanmax(mean_of(score - ground)) > settings.learned_margin),
                alone=share_alone(variance[:, 1:]),
            )
        )
        deviations.append(np.sqrt(np.maximum(mean_of(variance), 0)))
    models.groups += groups
    models.units += unit_of(groups, deviations, [group.is_off_floor for group in groups], settings)
    models.all_units += unit_of(groups, deviations, [True] * len(groups), settings)


def share_alone(drawn: np.ndarray) -> float:
    """Compute the share of the variance of the mean over models, drawn [models, draws], that models do not share."""
    n, whole = len(drawn), float(np.nanvar(mean_of(drawn)))
    if n < 2 or whole <= 0:
        return 0.0
    each = float(np.nanmean(np.nanvar(drawn, axis=1)))
    return min(max(each - whole, 0.0) / (n - 1) / whole, 1.0)


def unit_of(groups: list[Group], deviations: list[np.ndarray], wanted: list[bool], settings: Settings) -> list[Unit]:
    """Make a trend of the wanted groups of one dataset in one series, if there are enough checkpoints of one phase."""
    points = set(trend([group.point for group, is_wanted in zip(groups, wanted, strict=True) if is_wanted]))
    kept = [index for index, group in enumerate(groups) if wanted[index] and group.point in points]
    if len(kept) < settings.min_checkpoints:
        return []
    return [Unit([groups[index] for index in kept], early_minus_late(np.stack([deviations[index] for index in kept])))]


def early_minus_late(deviation: np.ndarray) -> np.ndarray:
    """Subtract the mean of the later half of checkpoints from that of the earlier: [checkpoints, n] to [n]."""
    half = len(deviation) // 2
    return mean_of(deviation[:half]) - mean_of(deviation[-half:])
