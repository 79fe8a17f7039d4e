"""Test the claims of a study on its measurements: one verdict each, with effect, interval and caveats.

Writes findings.json. A claim that the study cannot decide is undecided, with the reason; nothing here fails
for want of cells. Without items, as in published tables, claims are tested on the measurements alone; of simulated
networks, those of the theory on their tables.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from ripeness.findings import looks
from ripeness.findings.finding import Settings, settings_from
from ripeness.findings.indicators import answer as indicators
from ripeness.findings.indicators.skills import skills_of
from ripeness.findings.needs import is_without_items
from ripeness.findings.own_claims import read_own_claims
from ripeness.findings.register import all_findings, as_rows, with_plain_way
from ripeness.findings.ripe import as_entry, ripe_answers
from ripeness.findings.ripe_without_items import published_answers
from ripeness.findings.robustness import with_robustness
from ripeness.findings.study_tables import Tables, read_tables
from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json


def answers_of(tables: Tables, settings: Settings) -> list[dict[str, object]]:
    """Answer which checkpoint to tune, and what would have told it, where the tables allow it."""
    entries, settings = [], with_plain_way(tables, settings)
    is_published = is_without_items(tables)
    answers = published_answers(tables.reported, settings) if is_published else ripe_answers(tables.all_items, settings)
    if answers:
        entries.append(as_entry(answers, settings))
    if tables.has("measurements") and (skills := skills_of(tables, settings)):
        entries.append(indicators.as_entry(skills, settings))
    return entries


def main(argv: list[str] | None = None) -> None:
    """Read the tables, test the claims, write the findings."""
    parser = argument_parser(__doc__)
    parser.add_argument("--measurements", type=Path, nargs="?", help="measurements.parquet")
    parser.add_argument("--cells", type=Path, nargs="?", help="cells.parquet, for claims on overtraining")
    parser.add_argument("--sensitivity", type=Path, nargs="?", help="sensitivity.parquet, if weights were perturbed")
    parser.add_argument("--items", default=[], type=Path, nargs="*", help="items tables, or their folder")
    parser.add_argument("--simulated", default=[], type=Path, nargs="*", help="tables of simulated networks instead")
    parser.add_argument("--settings", type=json_option, default={}, help="the study's key `findings`, as JSON")
    parser.add_argument("--claims", type=json_option, default={}, help="claims of the study's own by name, as JSON")
    parser.add_argument("--written", type=Path, help="claims.json, which says when these were written")
    parser.add_argument("--looks", type=Path, help="looks.json, which keeps how often results were looked at")
    parser.add_argument("--output", required=True, type=output_file, help="findings.json")
    options = parser.parse_args(argv)
    settings = settings_from(options.settings)
    if not options.simulated and not (options.measurements and options.measurements.is_file()):
        raise UserError(f"there is no file {options.measurements}\nhint: the rule `collect` writes it; run that first")
    paths = {"simulated": options.simulated} if options.simulated else vars(options)
    with TemporaryDirectory(prefix="ripeness-findings-") as folder:
        tables = read_tables(paths, settings, Path(folder))
        if options.looks:
            settings = looks.at_this_look(settings, looks.read_looks(options.looks), tables)
        own = read_own_claims(options.claims, options.written)
        found = with_robustness(all_findings(tables, settings, own), tables, settings, own)
        entries = [*answers_of(tables, settings), *as_rows(found)]
        if options.looks:
            is_look = any(one.tests for one in found) or any(entry["id"] == indicators.ID for entry in entries)
            seen = looks.noted(options.looks, tables) if is_look else looks.read_looks(options.looks)
            entries.append(looks.as_entry(seen, settings))
    write_json(options.output, entries)


if __name__ == "__main__":
    run(main)
