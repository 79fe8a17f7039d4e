"""Make the rows of one dataset of the nursery's world."""

from ripeness.data.nursery import scenes
from ripeness.data.nursery.facts import FACT_TASKS, fact_rows
from ripeness.data.nursery.world import TASKS, rows
from ripeness.data.rows import write_rows
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.storage.pictures import take_pictures


def main(argv: list[str] | None = None) -> None:
    """Write train, validation and test rows."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--source", required=True, type=json_option, help="{world: task, seed: N, rows: {split: n}} as JSON"
    )
    parser.add_argument("--licence", required=True, help="licence of the data, for the record")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    if missing := [key for key in ("world", "rows") if key not in options.source]:
        raise UserError(f"the source lacks {' and '.join(missing)}\nhint: see --help")
    task, seed = options.source["world"], options.source.get("seed", 0)
    known = {**TASKS, **FACT_TASKS}
    if task not in (*known, scenes.TASK):
        names = ", ".join([*known, scenes.TASK])
        raise UserError(f"the nursery's world has no task {task!r}; it has {names}\nhint: fix `source`")
    asked, record = options.source["rows"].items(), {"source": options.source, "licence": options.licence}
    if task == scenes.TASK:
        drawn = {split: scenes.scene_rows(n=n, split=split, seed=seed) for split, n in asked}
        numbered = {split: dict(enumerate(made, 1)) for split, made in drawn.items()}
        write_rows(options.output, drawn, record, pictures=take_pictures(numbered, "image", {}))
        return
    make = fact_rows if task in FACT_TASKS else rows
    write_rows(options.output, {split: make(task, n=n, split=split, seed=seed) for split, n in asked}, record)


if __name__ == "__main__":
    run(main)
