"""When a trajectory saturates, with its interval, and when that is not said."""

import numpy as np
import polars as pl
import pytest

from ripeness.findings.finding import Settings
from ripeness.findings.scores import Point
from ripeness.findings.trajectories import Trajectory, saturation, trajectories_of
from ripeness.tables.columns import MEASUREMENTS, conform

NONE = {"saturates_at": None, "saturation_tokens": None, "earliest_tokens": None, "latest_tokens": None}


def curve(*values: float, se: float = np.nan, floor: float = 0.25, kind: str = "choice") -> Trajectory:
    points = [Point("s", f"c{k}", k, 10**k, "stable", 0) for k in range(len(values))]
    errors = np.full(len(values), se)
    return Trajectory("s", "p", kind, "default", 0, points, np.array(values), errors, "chance", floor, 0.0)


def found(*values: float, **more) -> dict:
    return saturation(curve(*values, **more), Settings())


def test_it_saturates_where_it_stays_within_the_tolerance_of_its_last_value():
    row = found(0.25, 0.59, 0.4, 0.585, 0.62, 0.6)
    assert row == NONE | {"status": "saturates", "saturates_at": "c3", "saturation_tokens": 1000}


def test_a_difference_of_just_the_tolerance_is_within_it():
    assert found(0.25, 0.3, 0.58, 0.6)["saturates_at"] == "c2"


def test_less_is_better_for_bits_per_byte():
    assert found(2.0, 1.5, 1.01, 1.0, floor=2.0, kind="text")["saturates_at"] == "c2"
    assert found(1.0, 1.2, 1.5, 2.0, floor=1.0, kind="text")["status"] == "at the floor"


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ((0.25, 0.24, 0.26, 0.28), "at the floor"),
        ((0.6, 0.5, 0.4, 0.2), "at the floor"),
        ((0.25, 0.3, 0.4, 0.5), "still changing"),
        ((0.25, 0.5, 0.5), "too few checkpoints"),
    ],
)
def test_nothing_is_said_near_the_floor_or_of_too_little(values, status):
    assert found(*values) == NONE | {"status": status}


def test_close_to_the_floor_by_its_error_is_at_the_floor():
    assert found(0.25, 0.3, 0.31, 0.31, se=0.04)["status"] == "at the floor"


def test_the_interval_holds_what_errors_leave_open():
    # z for three comparisons at once is 2.39; a difference has an error of 0.00141, so that it reaches 0.00338
    row = found(0.25, 0.5782, 0.5832, 0.6, se=0.001)
    assert (row["saturates_at"], row["earliest_tokens"], row["latest_tokens"]) == ("c2", 10, None)
    row = found(0.25, 0.5782, 0.5972, 0.6, se=0.001)
    assert (row["saturates_at"], row["earliest_tokens"], row["latest_tokens"]) == ("c2", 10, 100)


def test_it_lies_within_its_interval():
    rng = np.random.default_rng(0)
    for _ in range(50):
        row = found(*np.sort(rng.uniform(0.3, 0.7, 8)), se=0.005)
        if row["saturation_tokens"] is not None:
            assert row["earliest_tokens"] <= row["saturation_tokens"] <= (row["latest_tokens"] or np.inf)


def test_floors_errors_and_formats_are_read_from_the_measurements():
    place = {
        "series": "s",
        "is_primary": True,
        "method": "base",
        "split": "test",
        "phase": "stable",
        "shots": 0,
        "suite": "base",
    }
    rows = []
    for k in range(3):
        at = place | {"checkpoint": f"c{k}", "step": k, "tokens": k}
        choice = {"probe_kind": "choice", "metric": "accuracy", "probe_format": "default"}
        rows += [at | choice | {"probe": "known", "value": 0.5, "se": 0.01, "chance": 0.25, "majority": 0.4}]
        rows += [at | choice | {"probe": "unknown", "value": 0.5, "se": None if k else 0.01}]
        rows += [at | choice | {"probe": "known", "probe_format": "a", "value": 0.9}]
        rows += [
            at
            | {"probe": "text", "probe_kind": "generation", "metric": "rouge_l", "probe_format": "io", "value": k / 10}
        ]
    rows.append(rows[0] | {"checkpoint": "end", "phase": "annealed", "step": 2, "tokens": 2})
    known, text, unknown = trajectories_of(conform(rows, MEASUREMENTS).sample(fraction=1, shuffle=True, seed=0))
    assert (known.floor_name, known.floor, known.format) == ("chance or majority", 0.4, "default")
    assert known.se.tolist() == [0.01] * 3 and [point.checkpoint for point in known.points] == ["c0", "c1", "c2"]
    assert (text.floor_name, text.floor, text.format) == ("first checkpoint", 0.0, "io")
    assert np.isnan(unknown.floor) and np.isnan(unknown.se).tolist() == [False, True, True]
    assert isinstance(known.values, np.ndarray) and pl.Series(known.values).to_list() == [0.5] * 3
