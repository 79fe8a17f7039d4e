"""Show one item of a dataset as a model will see it: the text, its tokens, what is scored, the right answer.

    python scripts/show_item.py rte --format instruct --shots 4
    python scripts/show_item.py arc-easy --format lettered --item 3 --rows rows.jsonl
    python scripts/show_item.py nursery-mood --checkpoint results/nursery/checkpoints/nursery/step2048

Rows are those of --rows, else those that a study has fetched already, else they are fetched now. Items, wording and
tokens come about as in a study; the shots are drawn from a pool of just as many, and so are others than in a study.
"""

import argparse
import sys
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

import fetch_dataset
import make_dataset
from ripeness.data.examples import examples
from ripeness.data.items import Item, draw_items, source_of
from ripeness.data.rows import Row, read_sources
from ripeness.measure.item_view import describe
from ripeness.measure.prompts import build_prompts, draw_shots
from ripeness.models.checkpoint_facts import read_made_facts
from ripeness.models.context_limits import context_length
from ripeness.models.load import load_config
from ripeness.models.token_healing import beginnings
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.command_line import argument_parser, existing, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.schema import hint
from ripeness.study.tasks import Task, load_task
from ripeness.workflow.lookups.shared import to_json

TASKS = Path(__file__).parents[1] / "tasks"
ENOUGH = 10**9  # tokens, for an item that does not fit
WORLD_ROWS = 200  # of the nursery's world, which has as many as one likes


def rows_of(task: Task) -> dict[str, list[Row]]:
    """Read the rows of a dataset by source: those fetched by a study, or else made or fetched now."""
    for record in sorted(Path("results").glob(f"*/datasets/{task.name}/provenance.json")):
        names = {entry["name"] for entry in read_json(record, dict, keys=("files",))["files"]}
        if {source_of(role, task) for role in ("train", "validation", "test")} <= names:
            return read_sources(record.parent)
    source, make = task.source | ({"image": task.image} if task.image else {}), fetch_dataset.main
    if "world" in source:
        source, make = source | {"rows": dict.fromkeys(("train", "validation", "test"), WORLD_ROWS)}, make_dataset.main
    with TemporaryDirectory() as folder:
        output = (
            Path(folder, "rows") if not {"hub", "github"} & source.keys() else Path("results/shown/datasets", task.name)
        )
        make(["--source", to_json(source), "--licence", task.licence, "--output", str(output)])
        return read_sources(output)


def find_checkpoint() -> Path:
    """Find the last checkpoint of the embedded study; UserError if the study was not run here."""
    found = sorted(
        (path.parent for path in Path("results/nursery/checkpoints").glob("*/*/config.json")),
        key=lambda folder: read_made_facts(folder / "checkpoint.json")["tokens"],
    )
    if not found:
        raise UserError(
            "no --checkpoint is given, and the embedded study was not run here\n"
            "hint: name a folder in the layout of transformers with its tokenizer, or run `make study` first"
        )
    return found[-1]


def draw(task: Task, *, number: int, n_shots: int) -> tuple[Item, list[Item]]:
    """Draw the test item of a number, from 1, and a pool of shots."""
    sizes = {"test": number, "validation": 1, "shots": max(n_shots, 1), "train": 1, "seed": 0}
    drawn = draw_items(rows_of(task), task, sizes=sizes)
    if len(drawn["test"]) < number:
        raise UserError(f"there is no test item {number}; there are {len(drawn['test'])}\nhint: --item counts from 1")
    return drawn["test"][number - 1], drawn["shots"]


def main(argv: list[str] | None = None) -> None:
    """Print the item."""
    options = read_options(argv)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a character shows "?"
    checkpoint = options.checkpoint or find_checkpoint()
    source = {"source": dict.fromkeys(("train", "validation", "test"), str(options.rows))} if options.rows else {}
    task = load_task(options.task, TASKS, overrides=source)
    if options.format not in task.formats:
        near = hint(options.format, list(task.formats), otherwise="`formats` of the task holds the templates")
        raise UserError(f"unknown format {options.format!r}; the task has {', '.join(task.formats)}\n{near}")
    item, pool = draw(task, number=options.item, n_shots=options.shots)
    (example,) = examples([item], task, options.format)
    others = list(examples(pool, task, options.format))
    shots = draw_shots(others, options.shots, seed=options.seed)
    tokenizer, room = load_tokenizer(checkpoint), context_length(load_config(checkpoint))
    build = partial(
        build_prompts,
        tokenizer,
        [example],
        shots,
        separator=task.separator,
        answer_room=task.max_new_tokens if task.kind == "generation" else 0,
        begun=beginnings(row["target"] for row in [example, *others]),
    )
    try:
        (prompt,) = build(room=room)
    except UserError as error:  # a study would refuse it; here it is shown all the same
        print(f"does not fit: {error}", file=sys.stderr)
        (prompt,) = build(room=ENOUGH)
    print(f"{task.name}, {options.format}, {options.shots} shots, item {item.id}; tokenizer of {checkpoint}")
    print(describe(tokenizer, example, task, options.format, prompt))
    print(f"gold: {item.target!r}")


def read_options(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; UserError for numbers that count nothing."""
    parser = argument_parser(__doc__)
    parser.add_argument("task", help="name of a file in tasks/, without .yaml")
    parser.add_argument("--format", default="default", help="default, io, instruct, chat or lettered")
    parser.add_argument("--shots", type=int, default=0, help="examples before the question")
    parser.add_argument("--item", type=int, default=1, help="which of the test items, counted from 1")
    parser.add_argument("--seed", type=int, default=1, help="seed of the shots")
    parser.add_argument(
        "--rows", type=existing, help="JSONL, CSV or Parquet file in the published shape, for all splits"
    )
    parser.add_argument(
        "--checkpoint", type=existing, help="folder with config and tokenizer; else the embedded study's"
    )
    options = parser.parse_args(argv)
    if options.item < 1 or options.shots < 0:
        raise UserError("--item counts from 1, --shots from 0\nhint: see --help")
    return options


if __name__ == "__main__":
    run(main)
