"""The small files in the folder of a model: JSON that is what it should be, and links that stay within.

A small file that is a link out of its folder would bring a file of this machine into prompts, reports and results:
`chat_template.jinja` may be a link to a password. Weights are large, and may lie elsewhere if the user names the
folder. In the hub's own cache every file is a link, to blobs/<hash> of the same repository.
"""

import re
from pathlib import Path

from ripeness.models.foreign_folder import check_foreign
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, shortened
from ripeness.runtime.made_here import SCRATCH, damaged, made_folder, mark_of

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

CONFIGS = ("config.json", "generation_config.json")
OBJECTS = (*CONFIGS, "tokenizer_config.json", "special_tokens_map.json", "model.safetensors.index.json")
WEIGHTS = (".safetensors", ".bin")
SMALL = (".json", ".jinja", ".txt", ".model")
TEMPLATES = "additional_chat_templates"  # a folder that transformers reads next to chat_template.jinja
BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def check_links(folder: Path, *, with_weights: bool = False) -> None:
    """Refuse a model folder with a small file that is a link to a place outside it; or, if asked to, weights."""
    suffixes = (*SMALL, *WEIGHTS) if with_weights else SMALL
    for path in sorted([*folder.glob("*"), *folder.glob(f"{TEMPLATES}/*")]):
        if (path.suffix in suffixes or path.name == TEMPLATES) and path.is_symlink() and not may_lead(path, folder):
            raise UserError(
                f"{path} is a link out of its folder, to {path.readlink()}\n"
                "hint: if that file is meant, put a copy of it in the place of the link"
            )


def may_lead(link: Path, folder: Path) -> bool:
    """Return whether a link leads to an allowed place: its folder, the hub's cache, or our scratch."""
    target, home = link.resolve(), folder.resolve()
    if target.is_relative_to(home):
        return True
    if home.parent.name == "snapshots" and target.parent == home.parents[1] / "blobs":
        return BLOB.fullmatch(target.name) is not None
    mark = mark_of(target.parent)
    return mark is not None and mark["kind"] == SCRATCH and mark.get("output") == str(home)


def advice_on(folder: Path) -> str | None:
    """Write the hint for a damaged file in a model folder; for a folder made here, that of `damaged`."""
    return None if made_folder(Path(folder) / "config.json") else "it is damaged; copy or download it again"


def check_json(folder: Path) -> None:
    """Refuse a folder of others with a configuration that is no JSON object, or with what `check_foreign` refuses."""
    check_objects(folder)
    check_foreign(folder)


def check_objects(folder: Path) -> None:
    """Refuse a model folder with a configuration that is no JSON object, or ends a text at what is no token."""
    advice = advice_on(folder)
    for name in OBJECTS:
        path = folder / name
        if not path.is_file():
            continue
        said = read_json(path, dict, advice=advice)
        for part in (said, said.get("text_config")) if name in CONFIGS else ():
            ids = part.get("eos_token_id") if isinstance(part, dict) else None
            if not all(type(token) is int for token in (ids if isinstance(ids, list) else [0 if ids is None else ids])):
                raise damaged(path, f"eos_token_id is {shortened(ids)}, not a token's number or a list of them", advice)


def check_is_model(folder: Path) -> None:
    """Refuse a folder that is not there or holds no model, before transformers takes its name for one on the hub."""
    config = Path(folder) / "config.json"
    if config.is_symlink() and not config.exists():
        raise UserError(
            f"the model in {folder} is on another node: {config.readlink()}\n"
            "hint: with `scratch` a cell is trained and measured in one job: keep `groups` in the profile"
        )
    if not config.is_file():
        way = "name a folder with config.json and model.safetensors"
        if config.parent.is_dir() and not any(config.parent.iterdir()):
            way = "it is empty, as after a tuned model was measured: delete the folder, and the next run tunes it again"
        raise UserError(f"there is no model in {folder}\nhint: {way}")
    check_links(Path(folder))
    check_objects(Path(folder))
