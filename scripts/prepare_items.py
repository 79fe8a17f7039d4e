"""Draw a dataset's items: train, validation, test and shots, disjoint and the same for the whole study."""

import json
from dataclasses import asdict
from pathlib import Path

from ripeness.data.items import ROLES, Item, draw_items
from ripeness.data.rows import read_sources
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json
from ripeness.study.tasks import read_task


def to_json_lines(items: list[Item]) -> str:
    """Return one item a line, in the order of the draw."""
    rows = [{key: value for key, value in asdict(item).items() if key != "picture" or value} for item in items]
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def main(argv: list[str] | None = None) -> None:
    """Write <output>/{train,validation,test,shots}.jsonl and counts.json."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rows", required=True, type=Path, help="folder that fetch_dataset wrote")
    parser.add_argument("--task", required=True, type=json_option, help="the task, as JSON")
    parser.add_argument("--sizes", required=True, type=json_option, help="`items` of the study, as JSON")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    if missing := [key for key in (*ROLES, "seed") if key not in options.sizes]:
        raise UserError(f"the sizes lack {', '.join(missing)}\nhint: they are {', '.join(ROLES)} and seed")
    drawn = draw_items(read_sources(options.rows), read_task(options.task), sizes=options.sizes)
    with whole(options.output) as folder:
        folder.mkdir()
        for role, items in drawn.items():
            (folder / f"{role}.jsonl").write_text(to_json_lines(items), encoding="utf-8")
        write_json(folder / "counts.json", {role: len(items) for role, items in drawn.items()})


if __name__ == "__main__":
    run(main)
