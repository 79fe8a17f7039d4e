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
)


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


def test_the_interval_of_the_gain_covers_the_truth():
    world = replace(AMURO, format_effect=None, seed_sd=0.03)
    effects = [judged("gain-by-learning", world, seed, QUICK) for seed in range(40)]
    truth = 0.4 - (0.03 + 0.05) / 2
    assert np.mean([one.low <= truth <= one.high for one in effects]) >= 0.88
    assert np.mean([one.effect for one in effects]) == pytest.approx(truth, abs=0.02)


def test_no_headroom_is_named_as_a_caveat():
    finding = found(AMURO, simulate(AMURO, 0))["gain-by-learning"]
    assert any(caveat.startswith("Ceiling") for caveat in finding.caveats)
