"""Fetch running text from a dataset of the hub at a pinned commit: one text file a split, rows joined by line ends."""

from ripeness.hub.client import text_split
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.files import whole


def main(argv: list[str] | None = None) -> None:
    """Write <output>/train.txt and <output>/validation.txt."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--source", required=True, type=json_option, help="{id, revision, config, column, train, validation}"
    )
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    with whole(options.output) as folder:
        folder.mkdir()
        for split in ("train", "validation"):
            text = text_split(options.source[split], options.source)
            (folder / f"{split}.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
