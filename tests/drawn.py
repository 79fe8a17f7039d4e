"""The frames of figures on the invented study, and findings that they draw."""

import polars as pl
from synthetic_report import GROUPS, TOLD

from ripeness.figures.register import BY_ID
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables

MEASURED = [figure.id for figure in BY_ID.values() if "measurements" in figure.needs]


def findings_of(study: dict[str, pl.DataFrame]) -> list[dict]:
    details = [row | {"series": series} for series in sorted(set(study["cells"]["series"])) for row in GROUPS]
    told = [row | {"series": series} for series in sorted(set(study["cells"]["series"])) for row in TOLD["answers"]]
    claims = [{"id": "gain-by-learning", "details": [*details, {"level": "dataset"}]}, {"id": "another", "details": []}]
    return [*claims, TOLD | {"answers": told}]


def tables_of(study: dict[str, pl.DataFrame], *, has_items: bool = True) -> Tables:
    items = [part.lazy() for part in study["items"].partition_by("series", "checkpoint")] if has_items else None
    return Tables.of(measurements=study["measurements"], cells=study["cells"], items=items, findings=findings_of(study))


def frame_of(name: str, study: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return BY_ID[name].frame(tables_of(study), Settings())
