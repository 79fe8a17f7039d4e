"""Fetch one dataset as published: one parquet file a source, with its rows, and where they come from."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ripeness.data.row_files import read_rows
from ripeness.data.rows import write_rows
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.storage.pictures import files_named, take_pictures
from ripeness.study.joined_sources import parts_of


def sources_of(source: dict[str, Any]) -> dict[str, dict[int, dict[str, Any]]]:
    """Return the rows, by line, of every source that serves a role, by file name or published split.

    A source of several, joined by `+`, has their rows one after the other, counted through.
    """
    if "hub" in source:
        from ripeness.hub.rows import published_rows

        splits = dict.fromkeys(source["splits"].values())
        return {split: dict(enumerate(published_rows(source, split), 1)) for split in splits}
    names = dict.fromkeys(source[role] for role in ("train", "validation", "test"))
    parts = dict.fromkeys(part for name in names for part in parts_of(source, name))
    with TemporaryDirectory() as folder:
        if "github" in source:
            from ripeness.hub.github import fetch_files

            paths = fetch_files(source, list(parts), Path(folder))
        else:
            paths = {part: Path(part) for part in parts}
        read = {part: read_rows(path) for part, path in paths.items()}
    return {name: one_after_another([read[part] for part in parts_of(source, name)]) for name in names}


def one_after_another(tables: list[dict[int, dict[str, Any]]]) -> dict[int, dict[str, Any]]:
    """Return the rows of several files as those of one, counted through; a file alone keeps its lines."""
    if len(tables) == 1:
        return tables[0]
    return dict(enumerate((row for table in tables for row in table.values()), 1))


def main(argv: list[str] | None = None) -> None:
    """Write the rows of every source, and where they come from."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--source",
        required=True,
        type=json_option,
        help="`source` of the task file, as JSON; with `image`, the column of pictures",
    )
    parser.add_argument("--licence", required=True, help="licence of the data, for the record")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    record, pictures, read = {"source": options.source, "licence": options.licence}, None, list[str]()
    found = sources_of(options.source)
    if column := options.source.get("image"):
        on_disk = {} if {"hub", "github"} & options.source.keys() else {name: Path(name).parent for name in found}
        read = list(files_named(found, column, on_disk)) if on_disk else []
        pictures = take_pictures(found, column, on_disk)
    rows = {name: list(by_line.values()) for name, by_line in found.items()}
    lines = {name: list(by_line) for name, by_line in found.items()}
    write_rows(options.output, rows, record, lines=lines, pictures=pictures, read=read)


if __name__ == "__main__":
    run(main)
