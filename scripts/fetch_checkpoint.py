"""Fetch one checkpoint from a folder or from the hub at a pinned commit, and refuse it when it is not whole."""

import shutil
from pathlib import Path
from typing import Any

from ripeness.command_line import argument_parser, json_option, run
from ripeness.errors import UserError
from ripeness.files import read_json, whole, write_json
from ripeness.gate import INDEX, check_folder, weight_files
from ripeness.models import TOKENIZER_FILES

SMALL_FILES = ("config.json", "generation_config.json", "checkpoint.json", *TOKENIZER_FILES)
FACTS = ("series", "checkpoint", "step", "tokens", "lr", "phase", "seed")


def hub_folder(source: dict[str, Any]) -> Path:
    """Download the files of a revision that are needed into the hub's own cache."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                source["repo"], revision=source["revision"], allow_patterns=[*SMALL_FILES, "*.safetensors", INDEX]
            )
        )
    except (OSError, ValueError) as error:
        raise UserError(
            f"{source['repo']} at {source['revision']} cannot be fetched: {error}\n"
            "hint: fetching needs the network; where there is none, name a folder on disk with `path`"
        ) from None


def facts_of(folder: Path, source: dict[str, Any]) -> dict[str, Any]:
    """What is known of a checkpoint: the study's line wins over the folder's own checkpoint.json."""
    own = read_json(folder / "checkpoint.json") if (folder / "checkpoint.json").is_file() else {}
    facts = {"lr": None, "phase": "stable"} | own | source
    if missing := [key for key in FACTS if key not in facts]:
        raise UserError(
            f"checkpoint {facts.get('checkpoint')!r} of {facts.get('series')!r}: {', '.join(missing)} not known\n"
            "hint: give them in its line, or in a checkpoint.json in its folder"
        )
    return {key: facts[key] for key in FACTS}


def copy_folder(folder: Path, output: Path) -> None:
    """Copy what is small; weights are linked, since a series is large and never changed in place."""
    output.mkdir()
    for name in SMALL_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, output / name)
    if (folder / INDEX).is_file():
        shutil.copyfile(folder / INDEX, output / INDEX)
    for path in weight_files(folder):
        (output / path.name).symlink_to(path.resolve())


def main(argv: list[str] | None = None) -> None:
    """Write a folder in the layout of transformers with checkpoint.json."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--source", required=True, type=json_option, help="{series, checkpoint, path | repo, revision, ...} as JSON"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    options = parser.parse_args(argv)
    if not ("path" in options.source or {"repo", "revision"} <= set(options.source)):
        raise UserError("the source names no model\nhint: give `path`, or `repo` and `revision`")
    folder = Path(options.source["path"]) if "path" in options.source else hub_folder(options.source)
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}\nhint: check `path`; it is relative to {Path.cwd()}")
    facts = facts_of(folder, options.source) | check_folder(folder)
    with whole(options.output) as output:
        copy_folder(folder, output)
        write_json(output / "checkpoint.json", facts)


if __name__ == "__main__":
    run(main)
