"""Render a dataset's items in one format: the prompt, the answers that are scored, the target."""

from pathlib import Path

from ripeness.data.examples import examples
from ripeness.data.items import ROLES, Item
from ripeness.runtime.command_line import argument_parser, existing, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json_lines, whole
from ripeness.study.equal_options import same_text
from ripeness.study.schema import hint
from ripeness.study.tasks import read_task
from ripeness.tables.columns import EXAMPLES, write_table


def main(argv: list[str] | None = None) -> None:
    """Write <output>/{train,validation,test,shots}.parquet."""
    parser = argument_parser(__doc__)
    parser.add_argument("--items", required=True, type=Path, help="folder that prepare_items wrote")
    parser.add_argument("--task", required=True, type=json_option, help="the task, as JSON")
    parser.add_argument("--format", required=True, help="name of the format")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    task = read_task(options.task)
    if options.format not in task.formats:
        near = hint(options.format, list(task.formats), otherwise="`formats` of the task holds the templates")
        raise UserError(f"unknown format {options.format!r}; the task has {', '.join(task.formats)}\n{near}")
    with whole(options.output) as folder:
        folder.mkdir()
        for role in ROLES:
            items = [Item(**row) for row in read_json_lines(existing(str(options.items / f"{role}.jsonl")))]
            worded = examples(items, task, options.format)
            rows = [row | {"same_text": same_text(item.choices)} for row, item in zip(worded, items, strict=True)]
            write_table(folder / f"{role}.parquet", rows, EXAMPLES)


if __name__ == "__main__":
    run(main)
