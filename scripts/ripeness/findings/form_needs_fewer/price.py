"""What tuning on a dose loses on running text."""

import numpy as np
import polars as pl

from ripeness.findings.treated_curves import PLACE, TEXT
from ripeness.study.study_config import BASE
from ripeness.tables.columns import HAS_VALUE

CELL = [*PLACE, "dataset", "format", "doses_of", "seed"]


def text_lost(found: pl.DataFrame, measurements: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Add `lost` to doses for half of the gain: nats a token of text above the untouched model, null if not measured.

    It is read off between the doses that were tuned on, on a line in their logarithms; means over texts.
    """
    doses = cells.drop_nulls("doses_of").select("method", "doses_of", "examples").unique()
    text = measurements.filter(HAS_VALUE, pl.col("probe_kind") == TEXT, pl.col("metric") == "loss")
    point = ["series", "checkpoint", "probe"]
    before = text.filter(method=BASE).group_by(point).agg(before=pl.col("value").mean())
    after = text.join(doses, on="method").join(before, on=point)
    lost = after.group_by(*CELL, "examples").agg(lost=(pl.col("value") - pl.col("before")).mean()).sort("examples")
    paths = {
        tuple(cell): (np.log2(part["examples"].to_numpy()), part["lost"].to_numpy())
        for cell, part in lost.group_by(CELL, maintain_order=True)
    }
    read = [
        float(np.interp(dose, *paths[cell])) if dose is not None and (cell := tuple(key)) in paths else None
        for *key, dose in found.select(*CELL, "log_dose").iter_rows()
    ]
    return found.with_columns(lost=pl.Series(read, dtype=pl.Float64))
