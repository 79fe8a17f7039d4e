"""Items for paired intervals."""

import pytest
from drawn import frame_of

from ripeness.figures.register import BY_ID
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


@pytest.mark.parametrize("name", ["gain", "transfer"])
def test_items_may_come_in_one_table_or_one_a_checkpoint(name, synthetic_study):
    names = ("measurements", "cells")
    once = Tables.of(**{table: synthetic_study[table] for table in names}, items=[synthetic_study["items"].lazy()])
    whole = BY_ID[name].frame(once, Settings())
    assert frame_of(name, synthetic_study).equals(whole)
