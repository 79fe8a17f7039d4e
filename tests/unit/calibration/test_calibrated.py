"""Verdicts and intervals keep their limits on drawn studies: a small part of docs/calibration.md.

A share may be beyond its limit by three binomial standard errors, so that few studies fail by a fault alone.
"""

from dataclasses import replace

import pytest

from ripeness.calibration.designs import EDGE, LOSS_EDGE, Cell
from ripeness.calibration.judging import studies_of
from ripeness.calibration.rates import limits
from ripeness.calibration.ripe_studies import RipeDesign

MARGIN = 3
SMALL = {"n_checkpoints": 6, "n_seeds": 2, "n_items": 60, "n_generation": 0}
CELLS = [
    (Cell("gains scatter", scores=replace(EDGE, gain_sd=0.08, **SMALL)), 24),
    (Cell("formats scatter", scores=replace(EDGE, format_sd=0.03, checkpoint_sd=0.01, **SMALL)), 24),
    (Cell("edge of losses", losses=replace(LOSS_EDGE, n_checkpoints=6, n_datasets=1)), 15),
    (Cell("ripe", ripe=RipeDesign(peak=0.05)), 200),
    (Cell("ripe, equal checkpoints", ripe=RipeDesign(checkpoint_sd=0.0)), 200),
]


@pytest.mark.parametrize(("cell", "n"), CELLS, ids=[cell.name for cell, _ in CELLS])
def test_limits_are_kept(cell, n):
    found = limits(studies_of(cell, range(n), 100), {})
    assert found
    broken = [one for one in found if one.share > one.high + MARGIN * one.error]
    assert not broken, broken
    under = [one for one in found if one.share < one.low - MARGIN * one.error]
    assert not under, under
