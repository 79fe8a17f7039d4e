"""Take passages of running text, spread evenly over one split of a dataset of the hub at a pinned commit."""

import polars as pl

from ripeness.data.passages import evenly
from ripeness.hub.client import text_split
from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.files import whole


def main(argv: list[str] | None = None) -> None:
    """Write a parquet file with the columns item and text."""
    parser = argument_parser(__doc__)
    parser.add_argument("--source", required=True, type=json_option, help="{id, revision, config, column, split}")
    parser.add_argument("--items", required=True, type=int, help="passages to take")
    parser.add_argument("--output", required=True, type=output_file, help="parquet file to write")
    options = parser.parse_args(argv)
    source = options.source
    text = text_split(source["split"], source)
    passages = evenly(text, options.items, where=source["id"], name=source["id"].rpartition("/")[2])
    with whole(options.output) as path:
        pl.DataFrame(passages).write_parquet(path)


if __name__ == "__main__":
    run(main)
