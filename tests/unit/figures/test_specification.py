"""The specification of a chart."""

from drawn import frame_of

from ripeness.figures.register import BY_ID
from ripeness.figures.specification import specification


def test_specification_leaves_out_columns_that_nothing_names(synthetic_study):
    frame = frame_of("gain", synthetic_study)
    spec = specification(BY_ID["gain"].chart(frame), title="t", subtitle=["a finding"])
    names = {name for table in spec["datasets"].values() for row in table for name in row}
    assert {"value", "low", "high", "n_items"} <= names - {"name", "end_text", "end_y"} < set(frame.columns)
    assert {"series", "checkpoint", "dataset", "probe", "method", "format"} <= names  # open the panel
    assert spec["title"] == {"text": ["t"], "subtitle": ["a finding"]} and spec["description"] == "t"
