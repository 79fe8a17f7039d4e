"""Which way of tuning stands for a pilot."""

from ripeness.findings.pilot import standing_for
from ripeness.tables.columns import CELLS, IS_CHOSEN, write_table


def test_a_pilot_stands_for_plain_tuning_and_not_for_a_reading_of_states(tmp_path):
    (tmp_path / "tables").mkdir()
    kinds = {"known": "features", "layer": "head", "sgd": "full"}
    assert standing_for(tmp_path, ["known", "layer", "sgd"]) == "known"  # nothing says what they are
    rows = [{"method": name, "kind": kind} for name, kind in kinds.items()]
    write_table(tmp_path / "tables" / "cells.parquet", rows, CELLS | IS_CHOSEN)
    assert standing_for(tmp_path, ["known", "layer", "sgd"]) == "sgd"
    assert standing_for(tmp_path, ["full", "known"]) == "full"
    assert standing_for(tmp_path, ["known", "layer"]) == "known"
