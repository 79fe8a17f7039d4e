"""How far formats are apart, on studies whose truth is planted."""

from dataclasses import replace

import numpy as np
import pytest
from planted import (
    AMURO,
    found,
    simulate,
)


def test_at_the_floor_there_is_nothing_for_a_format_to_change():
    finding = found(AMURO, simulate(AMURO, 0))["format-spread"]
    assert any("at the floor" in caveat for caveat in finding.caveats)
    untouched = [row for row in finding.details if row["condition"] == "untouched" and row["dataset"] == "classes"]
    assert not any(row["is_off_floor"] for row in untouched)


def test_the_null_spread_stands_next_to_every_spread():
    world = replace(AMURO, format_effect=None)
    rows = found(world, simulate(world, 0))["format-spread"].details
    assert np.mean([row["spread"] - row["null"] for row in rows]) == pytest.approx(0.0, abs=0.01)
    assert np.mean([row["spread"] > row["null_high"] for row in rows]) <= 0.15


def test_formats_that_never_differ_have_no_spread_and_no_trend():
    scores = simulate(AMURO, 0)
    for one in scores.blocks.values():
        first = {
            row._replace(probe_format="io"): index for index, row in enumerate(one.rows) if row.probe_format != "io"
        }
        for index, row in enumerate(one.rows):
            one.values[index] = one.values[first.get(row, index)]
    finding = found(AMURO, scores)["format-spread"]
    assert finding.verdict == "too small to matter"
    assert finding.effect == 0.0
    assert "tau of the standard deviation with tokens: undefined" in finding.statement
