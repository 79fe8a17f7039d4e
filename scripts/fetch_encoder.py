"""Fetch a frozen encoder of pictures from the hub, and refuse a repository that holds none.

By hand: python scripts/fetch_encoder.py --source '{"repo": "openai/clip-vit-large-patch14-336", "revision": "COMMIT"}'
--output FOLDER. Weights are linked, or converted where they are pickled.
"""

import shutil
from pathlib import Path

from ripeness.models.convert import INDEX, convert_weights, pickled_files
from ripeness.models.gate.folder import weight_files
from ripeness.models.vision import PREPROCESSOR, load_encoder
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.files import whole

SMALL_FILES = ("config.json", PREPROCESSOR)


def lay_out(folder: Path, output: Path) -> None:
    """Copy what is small, and link or convert the weights."""
    output.mkdir()
    for name in (*SMALL_FILES, INDEX):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, output / name)
    if any((folder / name).is_file() for name in (INDEX, "model.safetensors")) or not pickled_files(folder):
        for path in weight_files(folder):
            (output / path.name).symlink_to(path.resolve())
    else:
        convert_weights(folder, output)


def main(argv: list[str] | None = None) -> None:
    """Write a folder in the layout of transformers."""
    parser = argument_parser(__doc__)
    parser.add_argument("--source", required=True, type=json_option, help="{repo, revision}, as JSON")
    parser.add_argument("--layer", type=int, default=-2, help="the layer whose states are read, which must be there")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    from ripeness.hub.checkpoint_folder import checkpoint_folder

    folder = checkpoint_folder(options.source, more=(PREPROCESSOR,))
    with whole(options.output) as output:
        lay_out(folder, output)
        load_encoder(output, layer=options.layer)


if __name__ == "__main__":
    run(main)
