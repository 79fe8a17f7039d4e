"""What a figure is."""

from collections.abc import Callable
from dataclasses import dataclass

import altair as alt
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables


@dataclass(frozen=True)
class Figure:
    """A figure of the study: where it stands, the question that it answers, its data, its picture and its finding.

    `says` writes the finding in a sentence, without a full stop, from the data; of no data it is not asked.

    `needs` names what a study must do to have the figure (`NEEDS` of workflow/lookups/analyse.py). Planning reads `id`,
    `section`, `question` and `needs` from the source, so that it need not import what draws: they are plain text there.
    """

    id: str
    section: str
    question: str
    needs: tuple[str, ...]
    frame: Callable[[Tables, Settings], pl.DataFrame]
    chart: Callable[[pl.DataFrame], alt.TopLevelMixin]
    says: Callable[[pl.DataFrame], str]
