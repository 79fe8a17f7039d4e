"""Write the report of a study: one HTML file that holds everything it shows and opens without a network."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import polars as pl
import vl_convert

from ripeness.findings.finding import settings_from
from ripeness.report import finding_rows, number_tables
from ripeness.report import page as report
from ripeness.report.answers import read_answers
from ripeness.report.changes import digest_of, keep, since_last
from ripeness.report.embedded_values import embedded_values
from ripeness.report.item_contrasts import item_contrasts
from ripeness.report.methods_table import methods_table
from ripeness.report.pair_maps import pair_maps
from ripeness.report.render import json_block, render, render_verdicts
from ripeness.report.score_table import markdown, score_table
from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.files import read_entries, read_json, whole
from ripeness.storage.parquet import read_table
from ripeness.study.written_claims import LOOKS_ID
from ripeness.tables.columns import AUDIT, REPORTED, SENSITIVITY, by_checkpoint, read_cells, read_measurements
from ripeness.tables.finished_results import FINDING
from ripeness.tables.published_rows import lacks_of
from ripeness.tables.theory_columns import by_name, facts_of_simulation
from ripeness.workflow.forecast import forecast_against_use
from ripeness.workflow.usage_logs import usage_table

REPORTS = Path(__file__).resolve().parents[1] / "reports"
ITEM_BYTES = 2_000_000  # of prompts and outputs on a page; a browser reads them when a reader first opens the panel
NO_VALUES = {"names": [], "columns": {}, "n": 0}
NO_ITEMS = {"models": [], "names": [], "contrasts": {}, "prompts": {}, "n": 0, "n_here": 0, "places": {}}


def measured(options: Namespace) -> dict[str, Any]:
    """Build the page for measurements."""
    everything, cells = read_measurements(options.measurements), read_cells(options.cells)
    perturbed = read_table(options.sensitivity, schema=SENSITIVITY) if options.sensitivity else None
    if perturbed is not None:  # the table of cells has tuning
        perturbed = perturbed.filter(pl.col("perturbation") != "displacement")
    measurements = everything.filter(REPORTED)
    settings = settings_from(options.settings)
    items = list(by_checkpoint(options.items).values()) if options.items else []
    answers = read_answers(items, settings.shots)
    pairs, table = pair_maps(answers, settings), score_table(measurements, answers, settings)
    folder = options.folder or options.figures.parent
    texts = {path.parts[-2:]: path / "test.parquet" for path in options.examples or []}
    changed = item_contrasts(answers, texts, most_bytes=options.item_bytes)
    changed |= {"study": folder.name, "folder": str(folder), "shots": settings.shots}
    return {
        "facts": report.facts_of(measurements, cells, perturbed),
        "audit": report.audit_of(read_table(options.audit, schema=AUDIT)),
        "lost": lost_cells(cells),
        "methods": methods_table(cells),
        "scores": table,
        "ties": number_tables.tie_counts(measurements),
        "rates": number_tables.rate_table(everything, cells, options.choose_by),
        "references": number_tables.reference_table(measurements),
        "dropped": cells.filter(pl.col("n_dropped_shots") > 0).sort("tokens", "dataset", "format", "seed").to_dicts(),
        "markdown": markdown(table),
        "pairs": pairs,
        "values": json_block(embedded_values(measurements, items)),
        "items": json_block(changed | {"places": pairs["places"] if pairs else {}}),
        "prompts": report.prompts_by_dataset(read_json(options.prompts, list)) if options.prompts else {},
        "pictures": read_json(options.pictures, list) if options.pictures else [],
        # published numbers have no prompts
        "lacks": [] if options.prompts else lacks_of(everything),
    }


def lost_cells(cells: pl.DataFrame) -> list[dict[str, Any]]:
    """List cells that are not done, or that have a measurement without a number."""
    lost = cells.filter((pl.col("status") != "done") | (pl.col("reason") != ""))
    return lost.sort("tokens", "dataset", "format", "seed").to_dicts()


def simulated(options: Namespace) -> dict[str, Any]:
    """Build the page for simulated networks, which have no cells, scores or prompts."""
    names = ("audit", "scores", "rates", "references", "prompts", "pictures", "lacks", "lost", "methods", "pairs")
    empty: dict[str, Any] = dict.fromkeys(names)
    empty |= {"values": json_block(NO_VALUES), "items": json_block(NO_ITEMS)}
    return empty | {"facts": facts_of_simulation(by_name(options.simulated))}


def parser_of() -> ArgumentParser:
    """Make the parser of the command line."""
    parser = argument_parser(__doc__)
    parser.add_argument("--findings", required=True, type=Path, help="findings.json")
    parser.add_argument("--measurements", type=Path, nargs="?", help="measurements.parquet")
    parser.add_argument("--cells", type=Path, nargs="?", help="cells.parquet")
    parser.add_argument("--sensitivity", type=Path, nargs="?", help="sensitivity.parquet, if weights were perturbed")
    parser.add_argument("--simulated", type=Path, nargs="*", help="tables of simulated networks, in place of both")
    parser.add_argument("--items", type=Path, nargs="*", help="items tables or their folder, to compare item by item")
    parser.add_argument("--examples", type=Path, nargs="*", help="folders <dataset>/<format> of examples, for prompts")
    parser.add_argument("--item-bytes", type=int, default=ITEM_BYTES, help="bytes of items on the page, at most")
    parser.add_argument("--settings", type=json_option, default={}, help="the study's key `findings`, as JSON")
    parser.add_argument("--figures", required=True, type=Path, help="folder of <figure>.json, .svg and .csv")
    parser.add_argument("--prompts", type=Path, nargs="?", help="list of prompts to show verbatim (JSON)")
    parser.add_argument("--pictures", type=Path, nargs="?", help="items with their pictures and answers (JSON)")
    parser.add_argument("--provenance", required=True, type=Path, help="what was used, and the study with its title")
    parser.add_argument("--audit", type=Path, nargs="?", help="audit.parquet")
    parser.add_argument("--reported", type=Path, help="reported.json, which keeps what the last report has shown")
    parser.add_argument("--usage-logs", type=Path, help="folder of <stage>/**/*.json, as programs write with --usage")
    parser.add_argument(
        "--calibration", type=json_option, help="one cell from which the cost of all is forecast (JSON)"
    )
    parser.add_argument(
        "--choose-by", default="{}", type=json_option, help='by what methods are chosen, such as {"full": "loss"}'
    )
    parser.add_argument("--folder", type=Path, help="folder of the study's results; else that of the figures")
    parser.add_argument("--partial", default="", help="say that cells are not done: how many are, in words")
    parser.add_argument("--output", required=True, type=output_file, help="the report (HTML)")
    parser.add_argument("--output-verdicts", type=output_file, help="the answer and the verdicts alone (HTML)")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write one report."""
    options = parser_of().parse_args(argv)
    usage = usage_table(options.usage_logs)
    provenance, entries = read_json(options.provenance, dict), read_entries(options.findings, FINDING)
    study = simulated(options) if options.simulated else measured(options)
    digest = digest_of(entries, None if options.simulated else read_measurements(options.measurements))
    context = {
        "title": provenance["study"]["title"],
        "partial": options.partial,
        **study,
        **finding_rows.findings_of([entry for entry in entries if "answers" not in entry]),
        "answers": finding_rows.answers_of(entries),
        "changed": since_last(options.reported, digest) if options.reported else None,
        "looks": next((entry["statement"] for entry in entries if entry["id"] == LOOKS_ID), None),
        "predictors": finding_rows.indicators_of(entries),
        "figures": report.figures_of(options.figures, REPORTS, study["facts"]),
        "provenance": provenance,
        "usage": usage,
        "calibration": options.calibration,
        "forecast": forecast_against_use(usage, options.calibration, options.usage_logs) if options.calibration else [],
    }
    page = render(
        REPORTS / "page",
        context,
        bundle=vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;", vl_version="6.4"),
    )
    with whole(options.output) as path:
        path.write_text(page, encoding="utf-8")
    if options.output_verdicts:
        with whole(options.output_verdicts) as path:
            path.write_text(render_verdicts(REPORTS / "page", context), encoding="utf-8")
    if options.reported:
        keep(options.reported, digest)


if __name__ == "__main__":
    run(main)
