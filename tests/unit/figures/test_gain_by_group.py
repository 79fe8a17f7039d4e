"""Gains of both groups of datasets."""

import json

import polars as pl
from drawn import findings_of
from synthetic_report import GROUPS

from ripeness.figures.register import BY_ID
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


def test_gains_of_groups_stand_above_their_difference(synthetic_study):
    findings = findings_of(synthetic_study)
    findings[0]["details"][0] |= {"learned": None, "effect": None, "low": None, "high": None}
    frame = BY_ID["gain-by-group"].frame(Tables.of(findings=findings), Settings())
    first = frame.filter(checkpoint=findings[0]["details"][0]["checkpoint"])
    assert first.select("row", "group", "value").rows() == [("gain", "not learned", 0.1)]
    second = frame.filter(pl.col("checkpoint") == GROUPS[1]["checkpoint"], row="difference")
    assert second.select("value", "low", "high").rows() == [(-0.09, -0.19, 0.1)]
    assert frame.filter(row="gain")["low"].is_null().all() and frame.filter(row="gain")["smallest"].is_null().all()
    assert set(frame.filter(row="difference")["smallest"]) == {0.02}
    drawn = json.dumps(BY_ID["gain-by-group"].chart(frame).to_dict())
    assert drawn.count("-datum.smallest") == 1  # the zone is drawn, under the difference alone
    assert (
        BY_ID["gain-by-group"]
        .frame(Tables.of(findings=[{"id": "gain-by-learning", "details": []}]), Settings())
        .is_empty()
    )
