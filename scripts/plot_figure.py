"""Draw one figure of a study: its Vega-Lite specification, an SVG, and the CSV of the data behind it.

Where the items are given, changes by tuning have intervals of paired differences of items; without them the
two models are taken as independent, which makes the intervals wider. Findings become the subtitle of the
figure that belongs to them.
"""

import json
import re
from pathlib import Path

import vl_convert

from ripeness.figures.register import BY_ID
from ripeness.figures.specification import blank, specification
from ripeness.findings.finding import settings_from
from ripeness.findings.study_tables import read_tables
from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole


def statements(findings: list[dict], figure: str) -> list[str]:
    """Verdict and sentence of every finding that belongs to `figure`."""
    return [f"{one['verdict']}: {one['statement']}" for one in findings if one.get("figure") == figure]


def picture(spec: dict) -> str:
    """Draw an SVG, small: without the classes and descriptions of every mark and thousandths of a pixel."""
    svg = vl_convert.vegalite_to_svg(spec, vl_version="6.4", config={"aria": False})
    within_tag = "(?=[^<>]*>)"
    svg = re.sub(rf' (class|role|aria-[a-z]+|pointer-events)="[^"]*"{within_tag}', "", svg)
    return re.sub(rf"(?<=\.\d\d)\d+{within_tag}", "", svg)


def main(argv: list[str] | None = None) -> None:
    """Draw one figure."""
    parser = argument_parser(__doc__)
    parser.add_argument("--figure", required=True, help=f"one of {', '.join(BY_ID)}")
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
    if options.figure not in BY_ID:
        raise UserError(
            f"unknown figure {options.figure!r}; known are {', '.join(BY_ID)}\n"
            "hint: figures are listed in scripts/ripeness/figures/register.py"
        )
    figure, settings = BY_ID[options.figure], settings_from(options.settings)
    tables = read_tables(vars(options), settings)
    frame = figure.frame(tables, settings)
    chart = figure.chart(frame) if frame.height else blank("The study has no measurements for this figure.")
    title = figure.says(frame) if frame.height else figure.question
    spec = specification(chart, title=title, subtitle=statements(tables.findings, options.figure))
    with whole(options.output_spec) as path:
        path.write_text(json.dumps(spec, separators=(",", ":")), encoding="utf-8")
    with whole(options.output_svg) as path:
        path.write_text(picture(spec), encoding="utf-8")
    with whole(options.output_csv) as path:
        frame.write_csv(path)


if __name__ == "__main__":
    run(main)
