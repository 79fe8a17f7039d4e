"""What tuning gains on learned and other datasets, on studies whose truth is planted."""

from dataclasses import replace

import numpy as np
import pytest
from planted import (
    AMURO,
    QUICK,
    World,
    found,
    judged,
    simulate,
    widened,
    without,
)


@pytest.mark.release
def test_the_gain_is_estimated_without_bias_where_noise_sorts_the_datasets():
    names = [f"d{number}" for number in range(6)]
    world = World(
        kinds=dict.fromkeys(names, "choice"),
        base={name: [0.5] * 3 + [0.6] * 3 for name in names},  # at the margin: chance alone decides the class
        gain=dict.fromkeys(names, 0.1),
        harm={},
        n_items=40,
        n_seeds=1,
    )
    effects = [
        finding.effect
        for seed in range(40)
        if (finding := judged("gain-by-learning", world, seed, QUICK)).effect is not None
    ]
    assert len(effects) > 25
    assert np.mean(effects) == pytest.approx(0.0, abs=0.025)


@pytest.mark.release
def test_the_interval_of_the_gain_covers_the_truth():
    world = widened(replace(AMURO, format_effect=None, seed_sd=0.03, n_items=100))
    effects = [judged("gain-by-learning", world, seed, QUICK) for seed in range(40)]
    truth = 0.4 - (0.03 + 0.05) / 2
    assert np.mean([one.low <= truth <= one.high for one in effects]) >= 0.88
    assert np.mean([one.effect for one in effects]) == pytest.approx(truth, abs=0.02)


def test_no_headroom_is_named_as_a_caveat():
    finding = found(AMURO, simulate(AMURO, 0))["gain-by-learning"]
    assert any(caveat.startswith("Ceiling") for caveat in finding.caveats)


SCATTERED = World(
    kinds=dict.fromkeys([f"known{n}" for n in range(4)] + [f"new{n}" for n in range(4)], "choice"),
    base={f"known{n}": [0.5, 0.6, 0.7, 0.7, 0.7, 0.7] for n in range(4)} | {f"new{n}": [0.5] * 6 for n in range(4)},
    gain={},
    harm={},
    n_items=60,
)


def scattered(seed: int) -> World:
    """A world in which gains differ between datasets by 0.08, and not between the classes."""
    gains = 0.12 + 0.08 * np.random.default_rng(seed).standard_normal(8)
    return replace(SCATTERED, gain=dict(zip(SCATTERED.kinds, gains.tolist(), strict=True)))


@pytest.mark.release
def test_datasets_that_differ_by_chance_are_no_two_kinds():
    """Taken as fixed, the datasets of 65 % of such studies make a verdict."""
    got = [judged("gain-by-learning", scattered(seed), seed, QUICK) for seed in range(24)]
    assert sum(one.verdict in ("supported", "reversed") for one in got) <= 3
    assert np.mean([one.low <= 0 <= one.high for one in got]) >= 0.85
    fixed = [one.on_these for one in got]
    assert np.mean([one["low"] <= 0 <= one["high"] for one in fixed]) <= 0.75
    assert all(one.low < this["low"] and this["high"] < one.high for one, this in zip(got, fixed, strict=True))


def test_equal_gains_in_log_odds_are_said_to_be_that():
    """Learned datasets start nearer to 1; a gain of 1 in log-odds is 0.1 more points on the others."""
    starts = {name: 0.85 if name.startswith("known") else 0.55 for name in SCATTERED.kinds}
    world = replace(
        SCATTERED,
        base={name: [0.5, start, start, start, start, start] for name, start in starts.items()},
        gain={name: 1 / (1 + np.exp(-1) * (1 - start) / start) - start for name, start in starts.items()},
        n_items=300,
    )
    finding = judged("gain-by-learning", world, 0, QUICK)
    assert finding.verdict == "supported" and finding.effect > 0.08
    assert "The two scales disagree: supported in points, undecided in log-odds" in finding.statement


def test_one_seed_is_undecided_unless_another_dataset_tells_how_seeds_differ():
    world = widened(replace(AMURO, n_seeds=2))
    scores = simulate(world, 0)
    alone = found(world, without(scores, lambda row, block: row.seed == 1))["gain-by-learning"]
    assert alone.verdict == "undecided" and alone.effect > 0.2
    assert alone.statement.startswith("Cannot be decided: every model was tuned with one seed")
    some = without(scores, lambda row, block: row.seed == 1 and row.dataset != "summary0")
    borrowed = found(world, some)["gain-by-learning"]
    assert borrowed.verdict == "supported" and borrowed.n_seeds == 1
    assert "tuning seeds (borrowed from the datasets with several)" in borrowed.covers
