"""The map of cells."""

import polars as pl
from drawn import frame_of

from ripeness.figures.register import BY_ID
from ripeness.figures.specification import specification
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


def test_a_study_may_have_more_cells_than_altair_takes_by_itself(synthetic_study):
    cells = pl.concat([synthetic_study["cells"].with_columns(seed=pl.lit(seed, pl.Int64)) for seed in range(16)])
    assert cells.height > 5000
    frame = BY_ID["availability"].frame(Tables.of(cells=cells), Settings())
    spec = specification(BY_ID["availability"].chart(frame), title="t", subtitle=[])
    assert max(len(rows) for rows in spec["datasets"].values()) > 5000


def test_diverged_and_missing_cells_are_shown(synthetic_study):
    frame = frame_of("availability", synthetic_study)
    assert frame.height == synthetic_study["cells"].filter(pl.col("format") != "text").height
    assert set(frame["status"]) == {"done", "diverged", "missing"}
