"""Trajectories of untouched models over pre-training, from measurements alone, and when each saturates.

A trajectory is one series on one probe with one number of shots, in the format in which untouched checkpoints are
judged: `default`, else the first measured. Annealed checkpoints are left out, as in all trends.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings, number
from ripeness.findings.pairs import trend
from ripeness.findings.scores import Point, in_order
from ripeness.stats.resampling import kendall
from ripeness.tables.intervals import mean_or_null, scores
from ripeness.tables.single_numbers import as_number

SATURATES, CHANGES, AT_FLOOR, SHORT = "saturates", "still changing", "at the floor", "too few checkpoints"


@dataclass(frozen=True)
class Trajectory:
    """Scores [checkpoints] in order of tokens; se is NaN where it is not known, floor where no skill level is."""

    series: str
    probe: str
    kind: str
    format: str
    shots: int
    points: list[Point]
    values: np.ndarray
    se: np.ndarray
    floor_name: str
    floor: float
    floor_se: float

    @property
    def sign(self) -> int:
        """1 where more is better, -1 for bits per byte."""
        return -1 if self.kind == "text" else 1


def points_of(measurements: pl.DataFrame) -> dict[str, list[Point]]:
    """List the checkpoints of every series, in order of tokens."""
    found = measurements.select(*Point._fields).unique()
    return in_order([Point(*row) for row in found.iter_rows()])


def trajectories_of(measurements: pl.DataFrame) -> list[Trajectory]:
    """Collect every trajectory of the primary score of untouched models, averaged over seeds; sorted by name."""
    rows = scores(measurements).filter(method="base")
    formats = pl.col("probe_format")
    judged = pl.when((formats == "default").any()).then(pl.lit("default")).otherwise(formats.min()).over("probe")
    keys = ["series", "probe", "probe_kind", "probe_format", "shots"]
    curves = (
        rows.filter(formats == judged)
        .group_by(*keys, "checkpoint")
        .agg(pl.col("value").mean(), se=mean_or_null("se"), floor=pl.max_horizontal("chance", "majority").max())
    )
    points = points_of(measurements)
    parts = curves.partition_by(keys, as_dict=True)
    return [trajectory(key, parts[key], points[str(key[0])]) for key in sorted(parts)]


def trajectory(key: tuple, curve: pl.DataFrame, points: list[Point]) -> Trajectory:
    """Put one curve in order, with what needs no skill.

    Of choices that is the larger of chance and majority; of generated text and running text the first checkpoint's
    score. Where chance is not known the floor of choices is not either.
    """
    series, probe, kind, format_, shots = key
    rows = {row["checkpoint"]: row for row in curve.iter_rows(named=True)}
    found = [point for point in trend(points) if point.checkpoint in rows] or [
        point for point in points if point.checkpoint in rows
    ]
    values = np.array([rows[point.checkpoint]["value"] for point in found], float)
    se = np.array([rows[point.checkpoint]["se"] for point in found], float)  # null becomes NaN
    level = curve["floor"].max()
    if level is not None:
        floor = ("chance or majority", as_number(level), 0.0)
    else:
        floor = (
            ("unknown", np.nan, np.nan) if kind == "choice" else ("first checkpoint", float(values[0]), float(se[0]))
        )
    return Trajectory(series, probe, kind, format_, shots, found, values, se, *floor)


def saturation(curve: Trajectory, settings: Settings) -> dict[str, object]:
    """Find when a trajectory saturates: the first checkpoint from which it stays within a tolerance of the last.

    The tolerance is the smallest effect of interest. With standard errors, `earliest` is the first checkpoint from
    which no later value is clearly outside the tolerance, and `latest` the first from which all are clearly inside, at
    the confidence of the settings for all checkpoints at once (Bonferroni); differences from the last value are taken
    as independent, which widens the interval since checkpoints share items. No estimate is given near the floor (the
    last value less than twice the tolerance, or two standard errors, above it), for few checkpoints, or where only the
    last value is near itself.
    """
    row: dict[str, object] = dict.fromkeys(("saturates_at", "saturation_tokens", "earliest_tokens", "latest_tokens"))
    values, tolerance = curve.values, settings.smallest_effect
    floor = values[0] if np.isnan(curve.floor) else curve.floor
    above = curve.sign * (values[-1] - floor)
    known = np.hypot(curve.se[-1], curve.floor_se if curve.floor_se > 0 else 0.0)
    if len(values) < settings.min_checkpoints:
        return row | {"status": SHORT}
    if above < 2 * tolerance or above < 2 * np.nan_to_num(known):
        return row | {"status": AT_FLOOR}
    distance = np.abs(values - values[-1])
    place = first_of(distance <= tolerance + 1e-12)
    if place == len(values) - 1:
        return row | {"status": CHANGES} | interval(curve, distance, settings)
    point = curve.points[place]
    return row | {
        "status": SATURATES,
        "saturates_at": point.checkpoint,
        "saturation_tokens": point.tokens,
        **interval(curve, distance, settings),
    }


def first_of(inside: np.ndarray) -> int:
    """Find the first place from which all are true."""
    outside = np.flatnonzero(~inside)
    return int(outside[-1]) + 1 if len(outside) else 0


def interval(curve: Trajectory, distance: np.ndarray, settings: Settings) -> dict[str, int | None]:
    """Find the tokens between which saturation lies; None where standard errors are missing, or for an open end."""
    if np.isnan(curve.se).any():
        return {}
    z = NormalDist().inv_cdf(1 - (1 - settings.confidence) / 2 / max(len(distance) - 1, 1))
    reach = z * np.hypot(curve.se, curve.se[-1])
    reach[-1] = 0  # of the last value from itself
    earliest = first_of(distance - reach <= settings.smallest_effect)
    latest = first_of(distance + reach <= settings.smallest_effect)
    # that the last value is near itself shows nothing
    end = curve.points[latest].tokens if latest < len(distance) - 1 else None
    return {"earliest_tokens": curve.points[earliest].tokens, "latest_tokens": end}


def row_of(curve: Trajectory, settings: Settings) -> dict[str, object]:
    """Make one row of the table behind the figure of saturation."""
    last = curve.points[-1]
    return {
        "series": curve.series,
        "checkpoint": last.checkpoint,
        "step": last.step,
        "tokens": last.tokens,
        "phase": last.phase,
        "probe": curve.probe,
        "format": curve.format,
        "shots": curve.shots,
        "n_checkpoints": len(curve.points),
        "first": float(curve.values[0]),
        "value": float(curve.values[-1]),
        "se": number(curve.se[-1]),
        "floor": number(curve.floor),
        "floor_name": curve.floor_name,
        "tau": number(kendall(curve.values[:, None])[0]) if len(curve.values) > 1 else None,
        **saturation(curve, settings),
    }
