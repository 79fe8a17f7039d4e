"""Take passages of running text, spread evenly over a file."""

from pathlib import Path

import polars as pl

from ripeness.command_line import argument_parser, run
from ripeness.errors import UserError
from ripeness.files import whole
from ripeness.passages import PASSAGE_BYTES, cut, read_text


def main(argv: list[str] | None = None) -> None:
    """Write a parquet file with the columns item and text."""
    parser = argument_parser(__doc__)
    parser.add_argument("--text", required=True, type=Path, help="UTF-8 text file")
    parser.add_argument("--items", required=True, type=int, help="passages to take")
    parser.add_argument("--output", required=True, type=Path, help="parquet file to write")
    options = parser.parse_args(argv)
    if options.items < 1:
        raise UserError(f"{options.items} passages are wanted\nhint: give `items` of 1 or more under `texts`")
    pieces = cut(read_text(options.text), PASSAGE_BYTES)
    if len(pieces) < options.items:
        raise UserError(
            f"{options.text} has {len(pieces)} passages of {PASSAGE_BYTES} bytes, but {options.items} are wanted\n"
            "hint: lower `items` under `texts`"
        )
    taken = [pieces[i * len(pieces) // options.items] for i in range(options.items)]
    names = [f"{options.text.stem}-{i:05d}" for i in range(options.items)]
    with whole(options.output) as path:
        pl.DataFrame({"item": names, "text": taken}).write_parquet(path)


if __name__ == "__main__":
    run(main)
