"""Test the claims of a study on its measurements: one verdict each, with effect, interval and caveats.

Writes findings.json. A claim that the study cannot decide is undecided, with the reason; nothing here fails
for want of cells. Without items, as in published tables, claims are tested on the measurements alone; of simulated
networks, those of the theory on their tables.
"""

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from ripeness.findings.finding import settings_from
from ripeness.findings.overtraining import Measured
from ripeness.findings.register import all_findings, as_rows, findings_without_items, theory_findings
from ripeness.findings.scores import read_scores
from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.storage.parquet import read_table, scan_table
from ripeness.tables.columns import IS_CHOSEN, MEASUREMENTS, REPORTED, SENSITIVITY, read_cells, read_measurements
from ripeness.tables.theory_columns import by_name


def measured(options: Namespace) -> Measured | None:
    """The tables that claims on overtraining are tested on, if they are given."""
    if not options.cells:
        return None
    perturbed = read_table(options.sensitivity, schema=SENSITIVITY) if options.sensitivity else None
    return Measured(read_measurements(options.measurements), read_cells(options.cells), perturbed)


def main(argv: list[str] | None = None) -> None:
    """Read the tables, test the claims, write the findings."""
    parser = argument_parser(__doc__)
    parser.add_argument("--measurements", type=Path, nargs="?", help="measurements.parquet")
    parser.add_argument("--cells", type=Path, nargs="?", help="cells.parquet, for claims on overtraining")
    parser.add_argument("--sensitivity", type=Path, nargs="?", help="sensitivity.parquet, if weights were perturbed")
    parser.add_argument("--items", default=[], type=Path, nargs="*", help="items tables, or their folder")
    parser.add_argument("--simulated", default=[], type=Path, nargs="*", help="tables of simulated networks instead")
    parser.add_argument("--settings", type=json_option, default={}, help="the study's key `findings`, as JSON")
    parser.add_argument("--output", required=True, type=output_file, help="findings.json")
    options = parser.parse_args(argv)
    settings = settings_from(options.settings)
    if options.simulated:
        write_json(options.output, as_rows(theory_findings(by_name(options.simulated), settings)))
        return
    if not (options.measurements and options.measurements.is_file()):
        raise UserError(
            f"there is no file {options.measurements}\nhint: collect_measurements writes it; run that first"
        )
    measurements = scan_table(options.measurements, schema=MEASUREMENTS | IS_CHOSEN)
    if not options.items:
        write_json(options.output, as_rows(findings_without_items(measurements.collect(), settings)))
        return
    floors = measurements.filter(REPORTED).select("probe", "probe_format", "chance", "majority").unique()
    with TemporaryDirectory(prefix="ripeness-findings-") as folder:
        scores = read_scores(options.items, settings, Path(folder))
        found = all_findings(floors.collect(), scores, settings, measured(options))
    write_json(options.output, as_rows(found))


if __name__ == "__main__":
    run(main)
