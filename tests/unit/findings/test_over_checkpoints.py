"""Trends and pairs of checkpoints that scatter: intervals hold the planted truth, and noise is no verdict."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from overtrained import BRITTLE, QUICK, changed, found, on_overtraining, planted

from ripeness.findings.over_checkpoints import Course, courses_of, estimated, slope_weights
from ripeness.findings.treated_curves import Curve
from ripeness.stats.neighbours import correlated_noise

STUDIES = 400


def courses(n, *, sd=0.05, rho=0.0, slope=0.0, repeats=3, runs=1, seed=1):
    """Draw studies whose checkpoints scatter, and whose repeats share that scatter."""
    place = np.arange(n, dtype=float)
    shared = sd * correlated_noise(n, STUDIES * runs, seed, rho)
    own = 0.01 * np.random.default_rng(seed).standard_normal((STUDIES * runs, n, repeats))
    drawn = (slope * place + shared.T)[:, :, None] + own
    for study in drawn.reshape(STUDIES, runs, n, repeats):
        yield [Course(f"run{run}", place, values) for run, values in enumerate(study)]


def estimates(n, **design):
    return [estimated(study, slope_weights, confidence=0.95).estimate for study in courses(n, **design)]


@pytest.mark.parametrize("n", [4, 6, 8, 12, 20])
def test_the_interval_of_a_slope_holds_it_as_often_as_it_says(n):
    slopes = estimates(n, slope=0.1)
    assert 0.92 <= np.mean([one.low <= 0.1 <= one.high for one in slopes]) <= 0.985
    assert np.mean([one.low > 0.1 for one in slopes]) <= 0.05  # at the edge of what matters: supported


def test_two_runs_are_narrower_than_one_and_cover():
    one, two = estimates(8), estimates(8, runs=2)
    assert 0.92 <= np.mean([own.low <= 0 <= own.high for own in two]) <= 0.985
    assert np.median([own.se for own in two]) < np.median([own.se for own in one])


def test_neighbours_that_are_alike_widen_the_interval():
    plain, alike = estimates(20), estimates(20, rho=0.5)
    assert np.mean([one.low <= 0 <= one.high for one in alike]) > 0.85  # 0.76 with neighbours taken as independent
    assert np.median([one.se for one in alike]) > 1.2 * np.median([one.se for one in plain])


def test_repeats_that_differ_more_than_checkpoints_scatter_count():
    place = np.arange(8.0)
    values = place[:, None] * np.array([0.1, 0.2, 0.6]) + 0.001 * np.sin(place**2)[:, None]
    one = estimated([Course("run", place, values)], slope_weights, confidence=0.95).estimate
    assert one.df == pytest.approx(2) and one.se == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1) / 3**0.5)
    alone = [Course("run", place, values[:, :1])]
    assert estimated(alone, slope_weights, confidence=0.95).estimate is None  # one repeat


def test_courses_average_curves_of_a_run_by_repeat():
    tokens = np.array([2.0, 4, 8, 16])
    names = (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"))
    curves = [Curve({}, ("a", "b"), tokens, np.full((4, 4), level) * [1, 2, 4, 8], names) for level in (1.0, 4.0)]
    first, second = courses_of(curves, np.log2)
    assert (first.run, second.run, first.n_curves) == ("a", "b", 2) and first.place.tolist() == [1, 2, 3, 4]
    assert first.values[0].tolist() == [1, 2] and second.values[0].tolist() == [3, 4]


ALONE = replace(BRITTLE, n_runs=1, noise={"init": 0.0, "relative": 0.0}, harm=0.0, decay=1.0)


def scattered(truth, seed, *, sd=0.05):
    """Plant a study whose checkpoints scatter, each for itself, in what noise adds and in how far tuning moves."""
    tables = planted(truth, seed)
    names = sorted(set(tables.cells["checkpoint"]))
    rng = np.random.default_rng([seed, 7])
    of_noise, of_moves = (dict(zip(names, np.exp(sd * rng.standard_normal(len(names))), strict=True)) for _ in "ab")
    times = pl.col("checkpoint").replace_strict(of_noise, return_dtype=pl.Float64)
    moved = pl.col("displacement") * pl.col("checkpoint").replace_strict(of_moves, return_dtype=pl.Float64)
    noisy = tables.sensitivity.with_columns(increase=pl.col("increase") * times)
    return changed(tables, sensitivity=noisy, cells=tables.cells.with_columns(displacement=moved))


@pytest.mark.release
def test_checkpoints_that_scatter_are_no_verdict():
    for seed in range(12):
        one = on_overtraining(scattered(ALONE, seed), QUICK)
        assert one["progressive-sensitivity"].verdict in ("undecided", "too small to matter")
        assert one["decay-or-tokens"].verdict in ("undecided", "too small to matter")
        assert one["displacement-constancy"].verdict in ("undecided", "supported")


def test_a_doubling_is_seen_through_the_scatter():
    grows = scattered(replace(ALONE, noise={"init": 1.5, "relative": 1.5}, decay=2.0), 3)
    one = on_overtraining(grows, QUICK)
    assert one["progressive-sensitivity"].verdict == one["decay-or-tokens"].verdict == "supported"


def test_studies_with_annealed_checkpoints_only_are_judged():
    tables = planted(replace(BRITTLE, rates=(1e-4, 1e-3), treatments=(("gentle", -0.2, 0.0),)))

    def annealed(frame):
        kept = frame.filter(pl.col("checkpoint") != "annealed")
        return kept.with_columns(phase=pl.when(pl.col("tokens") > 0).then(pl.lit("annealed")).otherwise("phase"))

    names = ("measurements", "cells", "sensitivity")
    one = on_overtraining(changed(tables, **{name: annealed(getattr(tables, name)) for name in names}))
    supported = {name for name, finding in one.items() if finding.verdict == "supported"}
    assert supported == {
        "progressive-sensitivity", "degradation-at-fixed-rate", "turning-point", "mitigation", "displacement-constancy",
    }  # fmt: skip
    assert one["degradation-at-tuned-rate"].effect is not None


def test_noise_that_lowers_a_loss_at_one_size_leaves_the_others_to_decide():
    tables = planted(replace(BRITTLE, n_runs=1))
    lowered = pl.when(pl.col("scale") < 1).then(-pl.col("increase")).otherwise("increase")
    one = on_overtraining(changed(tables, sensitivity=tables.sensitivity.with_columns(increase=lowered)))
    assert one["progressive-sensitivity"].verdict == "supported"
    assert any("curves have no slope" in caveat for caveat in one["progressive-sensitivity"].caveats)
    none = tables.sensitivity.with_columns(increase=-pl.col("increase"))
    never = on_overtraining(changed(tables, sensitivity=none))["progressive-sensitivity"]
    assert never.verdict == "undecided" and "lost nothing" in never.statement


def test_a_growth_that_does_not_matter_is_too_small():
    small = found(replace(BRITTLE, noise={"init": 0.1}), "progressive-sensitivity")
    assert small.verdict == "too small to matter" and small.effect == pytest.approx(0.03, abs=0.01)
