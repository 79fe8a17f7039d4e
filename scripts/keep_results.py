"""Keep what a finished study showed in a folder of docs: its findings without detailed rows, and some figures.

By hand: python scripts/keep_results.py results/methods docs/methods --figures pareto-front gain

The folder's README.md gets a table of all claims and answers in the place of what stands between the lines
`<!-- findings -->` and `<!-- end of findings -->`. What it means is for a person to write around it.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ripeness.runtime.command_line import argument_parser, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_entries, whole
from ripeness.runtime.marked_page import put_between
from ripeness.tables.finished_results import FINDING

DETAILED = ("details", "answers")


def without_details(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the rows behind each finding, which the study's folder has."""
    return [{key: value for key, value in one.items() if key not in DETAILED} for one in findings]


def table(findings: list[dict[str, Any]]) -> str:
    """Make a Markdown table: a row for each claim, with its verdict and its sentence."""
    return "\n".join(["| claim | verdict | what was measured |", "|---|---|---|", *map(line, findings)])


def line(one: Mapping[str, Any]) -> str:
    """Write one row; a stroke would end a cell."""
    cells = [f"{one.get('claim', '')} (`{one['id']}`)", one["verdict"], one["statement"]]
    said = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells]
    return f"| {' | '.join(said)} |"


def main(argv: list[str] | None = None) -> None:
    """Write findings.json and the figures, and put the table into the page."""
    parser = argument_parser(__doc__)
    parser.add_argument("results", type=Path, help="the study's folder, such as results/methods")
    parser.add_argument("folder", type=Path, help="a folder with a README.md that has both marks")
    parser.add_argument("--figures", nargs="*", default=[], help="ids of the figures to keep")
    options = parser.parse_args(argv)
    findings = read_entries(options.results / "findings.json", FINDING)
    drawn = {path.stem: path for path in sorted((options.results / "figures").glob("*.svg"))}
    if missing := [name for name in options.figures if name not in drawn]:
        raise UserError(
            f"there is no figure {missing[0]!r} in {options.results}\nhint: it has {', '.join(drawn) or 'none'}"
        )
    put_between(options.folder / "README.md", "findings", table(findings))
    with whole(options.folder / "findings.json") as path:
        text = json.dumps(without_details(findings), indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8")
    for name in options.figures:
        with whole(options.folder / f"{name}.svg") as path:
            shutil.copyfile(drawn[name], path)


if __name__ == "__main__":
    run(main)
