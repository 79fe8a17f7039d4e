"""Take passages of running text, spread evenly over one split of a dataset of the hub at a pinned commit."""

from pathlib import Path

import polars as pl

from ripeness.command_line import argument_parser, json_option, run
from ripeness.errors import UserError
from ripeness.files import whole
from ripeness.hub import dataset_split
from ripeness.passages import evenly


def main(argv: list[str] | None = None) -> None:
    """Write a parquet file with the columns item and text."""
    parser = argument_parser(__doc__)
    parser.add_argument("--source", required=True, type=json_option, help="{id, revision, config, column, split}")
    parser.add_argument("--items", required=True, type=int, help="passages to take")
    parser.add_argument("--output", required=True, type=Path, help="parquet file to write")
    options = parser.parse_args(argv)
    source = options.source
    table = dataset_split(source["id"], source.get("config"), source["split"], source)
    if source["column"] not in table.column_names:
        raise UserError(
            f"{source['id']} has no column {source['column']!r}; it has {', '.join(table.column_names)}\n"
            "hint: `column` of the text names the one that holds it"
        )
    text = "\n".join(row.rstrip("\n") for row in table[source["column"]])
    passages = evenly(text, options.items, where=source["id"], name=source["id"].rpartition("/")[2])
    with whole(options.output) as path:
        pl.DataFrame(passages).write_parquet(path)


if __name__ == "__main__":
    run(main)
