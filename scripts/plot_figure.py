"""Draw one figure of a study: its Vega-Lite specification, an SVG, and the CSV of the data behind it.

Where the items are given, changes by tuning have intervals of paired differences of items; without them the
two models are taken as independent, which makes the intervals wider. Findings become the subtitle of the
figure that belongs to them.
"""

import json
import re
from argparse import Namespace
from pathlib import Path

import polars as pl
import vl_convert
from ripeness.findings.overtraining import Measured

from ripeness.figures.charts import Figure, blank, specification
from ripeness.figures.register import FIGURES
from ripeness.findings.finding import settings_from
from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_entries, whole
from ripeness.storage.parquet import read_table
from ripeness.tables.columns import REPORTED, SENSITIVITY, by_checkpoint, read_cells, read_measurements
from ripeness.tables.finished_results import FINDING
from ripeness.tables.theory_columns import by_name

ITEM_COLUMNS = [
    "series", "checkpoint", "step", "tokens", "phase", "dataset", "format", "method", "seed", "probe",
    "probe_kind", "probe_format", "shots", "split", "item", "cluster", "is_correct", "rouge_l",
]  # fmt: skip


def read_items(places: list[Path]) -> list[pl.LazyFrame]:
    """What paired differences need of the items tables (files, or folders of them), checkpoint by checkpoint."""
    tables = by_checkpoint(places)
    if not tables:
        raise UserError(
            f"no items tables (*.parquet) in {', '.join(map(str, places))}\n"
            "hint: leave out --items, or let the study collect its items first"
        )
    return [table.filter(REPORTED).select(ITEM_COLUMNS) for table in tables.values()]


def statements(findings: list[dict], figure: str) -> list[str]:
    """Verdict and sentence of every finding that belongs to `figure`."""
    return [f"{one['verdict']}: {one['statement']}" for one in findings if one.get("figure") == figure]


def picture(spec: dict) -> str:
    """Draw an SVG, small: without the classes and descriptions of every mark and thousandths of a pixel."""
    svg = vl_convert.vegalite_to_svg(spec, vl_version="6.4", config={"aria": False})
    within_tag = "(?=[^<>]*>)"
    svg = re.sub(rf' (class|role|aria-[a-z]+|pointer-events)="[^"]*"{within_tag}', "", svg)
    return re.sub(rf"(?<=\.\d\d)\d+{within_tag}", "", svg)


def tables_of(figure: Figure, options: Namespace) -> list:
    """What a figure's data are made of."""
    if options.simulated:
        return [by_name(options.simulated)]
    if not (options.measurements and options.cells):
        raise UserError(
            f"{options.figure} needs --measurements and --cells\nhint: the study's tables, as collect writes"
        )
    measurements, cells = read_measurements(options.measurements), read_cells(options.cells)
    if figure.uses_all:
        perturbed = read_table(options.sensitivity, schema=SENSITIVITY) if options.sensitivity else None
        return [Measured(measurements, cells, perturbed), settings_from(options.settings)]
    tables: list = [measurements.filter(REPORTED), cells]
    if figure.uses_items and options.items:
        tables.append(read_items(options.items))
    if figure.uses_settings:
        tables.append(settings_from(options.settings))
    return tables


def main(argv: list[str] | None = None) -> None:
    """Draw one figure."""
    parser = argument_parser(__doc__)
    parser.add_argument("--figure", required=True, help=f"one of {', '.join(FIGURES)}")
    parser.add_argument("--measurements", type=Path, nargs="?", help="measurements.parquet of the study")
    parser.add_argument("--cells", type=Path, nargs="?", help="cells.parquet of the study")
    parser.add_argument("--sensitivity", type=Path, nargs="?", help="sensitivity.parquet, if weights were perturbed")
    parser.add_argument("--items", type=Path, nargs="*", help="items tables or their folder, for paired intervals")
    parser.add_argument(
        "--simulated", type=Path, nargs="*", help="tables of simulated networks, in place of all others"
    )
    parser.add_argument("--findings", type=Path, help="findings.json, for the subtitle and for what is drawn of them")
    parser.add_argument("--settings", type=json_option, default={}, help="the study's key `findings`, as JSON")
    parser.add_argument("--output-spec", required=True, type=output_file, help="Vega-Lite specification (JSON)")
    parser.add_argument("--output-svg", required=True, type=output_file)
    parser.add_argument("--output-csv", required=True, type=output_file)
    options = parser.parse_args(argv)
    if options.figure not in FIGURES:
        raise UserError(
            f"unknown figure {options.figure!r}; known are {', '.join(FIGURES)}\n"
            "hint: figures are defined in scripts/ripeness/figures/charts.py"
        )
    figure = FIGURES[options.figure]
    findings = read_entries(options.findings, FINDING) if options.findings else []
    frame = figure.data(findings) if figure.uses_findings else figure.data(*tables_of(figure, options))
    chart = figure.chart(frame) if frame.height else blank("The study has no measurements for this figure.")
    spec = specification(chart, title=figure.question, subtitle=statements(findings, options.figure))
    with whole(options.output_spec) as path:
        path.write_text(json.dumps(spec, separators=(",", ":")), encoding="utf-8")
    with whole(options.output_svg) as path:
        path.write_text(picture(spec), encoding="utf-8")
    with whole(options.output_csv) as path:
        frame.write_csv(path)


if __name__ == "__main__":
    run(main)
