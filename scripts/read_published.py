"""Read tables of published numbers (CSV) as a study's measurements and cells; docs/published.md has the columns."""

from pathlib import Path

from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, write_table
from ripeness.tables.published_checks import read_published
from ripeness.tables.published_rows import cells_of, measurements_of


def main(argv: list[str] | None = None) -> None:
    """Write measurements and cells."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", required=True, help="name of the study")
    parser.add_argument("--settings", required=True, type=json_option, help="the study's key `published`, as JSON")
    parser.add_argument("--measurements", required=True, type=output_file, help="parquet file to write")
    parser.add_argument("--status", required=True, type=output_file, help="parquet file to write: a row a model")
    options = parser.parse_args(argv)
    lines = read_published([Path(path) for path in options.settings["tables"]], options.settings.get("tokens_per_step"))
    measurements = measurements_of(lines, options.settings, options.study)
    write_table(options.measurements, measurements, MEASUREMENTS | IS_CHOSEN)
    write_table(options.status, cells_of(measurements), CELLS | IS_CHOSEN)


if __name__ == "__main__":
    run(main)
