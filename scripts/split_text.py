"""Take passages of running text, spread evenly over a file."""

from pathlib import Path

import polars as pl

from ripeness.data.passages import evenly, read_text
from ripeness.runtime.command_line import argument_parser, output_file, run
from ripeness.runtime.files import whole


def main(argv: list[str] | None = None) -> None:
    """Write a parquet file with the columns item and text."""
    parser = argument_parser(__doc__)
    parser.add_argument("--text", required=True, type=Path, help="UTF-8 text file")
    parser.add_argument("--items", required=True, type=int, help="passages to take")
    parser.add_argument("--output", required=True, type=output_file, help="parquet file to write")
    options = parser.parse_args(argv)
    passages = evenly(read_text(options.text), options.items, where=str(options.text), name=options.text.stem)
    with whole(options.output) as path:
        pl.DataFrame(passages).write_parquet(path)


if __name__ == "__main__":
    run(main)
