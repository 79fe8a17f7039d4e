"""Render a dataset's items in one format: the prompt, the answers that are scored, the target."""

import json
from pathlib import Path

from ripeness.command_line import argument_parser, json_option, run
from ripeness.files import whole
from ripeness.items import ROLES, Item, examples
from ripeness.tables import EXAMPLES, write_table
from ripeness.tasks import Task


def main(argv: list[str] | None = None) -> None:
    """Write <output>/{train,validation,test,shots}.parquet."""
    parser = argument_parser(__doc__)
    parser.add_argument("--items", required=True, type=Path, help="folder that prepare_items wrote")
    parser.add_argument("--task", required=True, type=json_option, help="the task, as JSON")
    parser.add_argument("--format", required=True, help="name of the format")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    options = parser.parse_args(argv)
    with whole(options.output) as folder:
        folder.mkdir()
        for role in ROLES:
            lines = (options.items / f"{role}.jsonl").read_text(encoding="utf-8").split("\n")
            items = [Item(**json.loads(line)) for line in lines if line]
            rows = list(examples(items, Task(**options.task), options.format))
            write_table(folder / f"{role}.parquet", rows, EXAMPLES)


if __name__ == "__main__":
    run(main)
