"""Findings on published tables, which have no items."""

import json
from dataclasses import replace

import pytest

from ripeness.findings.finding import settings_from
from ripeness.findings.register import all_findings
from ripeness.findings.study_tables import Tables
from ripeness.study.grid import Study
from ripeness.study.load import NOTHING_RUNS
from ripeness.tables.published_checks import read_published
from ripeness.tables.published_rows import measurements_of
from ripeness.workflow.lookups.analyse import finding_settings


def findings_on(
    folder, name: str, *, findings: dict | None = None, acknowledge=(), min_checkpoints: int = 4, **published
) -> dict:
    published = {"tables": [str(folder / name)]} | published
    config = NOTHING_RUNS | {"study": "p", "findings": findings or {}, "published": published}
    config |= {"audit": {"acknowledge": dict.fromkeys(acknowledge, "it is so")}}
    study = Study(config, {}, {}, {})
    lines = read_published([folder / name], published.get("tokens_per_step"))
    settings = replace(settings_from(json.loads(finding_settings(study, None))), min_checkpoints=min_checkpoints)
    found = all_findings(Tables.of(measurements=measurements_of(lines, published, "p")), settings)
    json.dumps([one.details for one in found], allow_nan=False)
    return {one.id: one for one in found}


def rows(finding, **place) -> list[dict]:
    return [row for row in finding.details if place.items() <= row.items()]


def exactly(value):
    return pytest.approx(value, abs=1e-9)
