"""Fetch one checkpoint from a folder or the hub, convert what is of an older form, and refuse incomplete ones."""

import shutil
from pathlib import Path
from typing import Any

from ripeness.models.checkpoint_facts import FACTS, checked, read_facts
from ripeness.models.convert import INDEX, convert_tokenizer, convert_weights, pickled_files
from ripeness.models.fingerprints import FILE, digests_of
from ripeness.models.gate.folder import check_folder, weight_files
from ripeness.models.gate.loss import check_loss
from ripeness.models.model_folder import check_json, check_links
from ripeness.models.tokens import TOKENIZER_FILES
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json
from ripeness.runtime.made_here import check_no_overlap

SMALL_FILES = ("config.json", "generation_config.json", "checkpoint.json", *TOKENIZER_FILES)
ORIGIN = ("repo", "revision", "commit")


def folder_of(source: dict[str, Any]) -> tuple[str, Path]:
    """Return the name of a checkpoint for messages, and the folder of its files."""
    if odd := [key for key in ("path", "repo", "revision") if not isinstance(source.get(key, ""), str)]:
        raise UserError(f"the source: {odd[0]} is {source[odd[0]]!r}, not a text\nhint: put it in double quotes")
    if "path" in source:
        folder = Path(source["path"])
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}\nhint: check `path`; it is relative to {Path.cwd()}")
        return str(folder), folder
    if {"repo", "revision"} <= source.keys():
        from ripeness.hub.checkpoint_folder import checkpoint_folder

        return f"{source['repo']} at {source['revision']}", checkpoint_folder(source)
    raise UserError("the source has no model\nhint: give `path`, or `repo` and `revision`")


def facts_of(folder: Path, source: dict[str, Any]) -> dict[str, Any]:
    """Collect the facts of a checkpoint: the study's line overrides the folder's own checkpoint.json."""
    own = read_facts(folder / "checkpoint.json") if (folder / "checkpoint.json").is_file() else {}
    facts = checked("the source", {"lr": None, "phase": "stable"} | own | source, "fix the checkpoint's line")
    if missing := [key for key in FACTS if key not in facts]:
        raise UserError(
            f"checkpoint {facts.get('checkpoint')!r} of {facts.get('series')!r}: {', '.join(missing)} unknown\n"
            "hint: add them to its line in the config, or to a checkpoint.json in its folder"
        )
    origin = {key: source[key] for key in ORIGIN if "repo" in source and key in source}
    if "repo" in source:
        origin["commit"] = source.get("commit") or source["revision"]
    return {key: facts[key] for key in FACTS} | origin


def lay_out(folder: Path, output: Path) -> None:
    """Copy what is small; weights are linked, since a series is large and never changed in place, or converted."""
    output.mkdir()
    for name in SMALL_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, output / name)
    if not any((folder / name).is_file() for name in (INDEX, "model.safetensors")) and pickled_files(folder):
        convert_weights(folder, output)
    else:
        if (folder / INDEX).is_file():
            shutil.copyfile(folder / INDEX, output / INDEX)
        for path in weight_files(folder):
            (output / path.name).symlink_to(path.resolve())
    if (output / "config.json").is_file():
        convert_tokenizer(output)


def main(argv: list[str] | None = None) -> None:
    """Write a folder in the layout of transformers with checkpoint.json."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--source", required=True, type=json_option, help="{series, checkpoint, path | repo, revision, ...} as JSON"
    )
    parser.add_argument("--gate-text", type=Path, help="text that the series has learned (default: English prose)")
    parser.add_argument("--accept-loss", action="store_true", help="refuse no loss on that text")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    called, folder = folder_of(options.source)
    check_no_overlap(options.output, folder)
    check_links(folder, with_weights="repo" in options.source)
    check_json(folder)
    facts = facts_of(folder, options.source)
    with whole(options.output) as output:
        try:
            lay_out(folder, output)
            facts |= check_folder(output)
            facts["gate"] = check_loss(output, facts, options.gate_text, accept=options.accept_loss)
        except UserError as error:  # about a folder that the user has never seen
            said = str(error).removeprefix(f"the checkpoint {output}: ").removeprefix(f"the checkpoint {folder}: ")
            said = said.replace(str(output), called)
            what, *_, hint = said.split("\nhint: ")  # of two the last is the one that knows best
            raise UserError(f"the checkpoint {called}: {what}\nhint: {hint}") from None
        write_json(output / FILE, digests_of(weight_files(output)))
        write_json(output / "checkpoint.json", facts)


if __name__ == "__main__":
    run(main)
