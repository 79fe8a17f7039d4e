"""Find the files of a checkpoint on the hub that are needed, and download them."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import constants, snapshot_download

from ripeness.hub.download import download, list_files
from ripeness.hub.retry import patiently
from ripeness.hub.target import Target
from ripeness.models.tokens import TOKENIZER_FILES
from ripeness.runtime.errors import UserError
from ripeness.study.lock_file import commit_of

SMALL_FILES = ("config.json", "generation_config.json", "checkpoint.json", *TOKENIZER_FILES)
# Weights in the order in which they are preferred, as an index with parts or as one file; never two kinds. Optimiser
# states, other frameworks' weights and code have other names.
WEIGHTS = (
    ("model.safetensors.index.json", r"model-\d+-of-\d+\.safetensors"),
    ("model.safetensors", None),
    ("pytorch_model.bin.index.json", r"pytorch_model-\d+-of-\d+\.bin"),
    ("pytorch_model.bin", None),
)


def checkpoint_folder(source: dict[str, Any], more: tuple[str, ...] = ()) -> Path:
    """Download what is needed of a model at a commit: {repo, revision, commit}; and `more` files, if they are there."""
    repo, commit = source["repo"], commit_of(source)
    target = Target("model", repo, source["revision"])
    if constants.is_offline_mode():
        return Path(patiently(target, snapshot_download, repo, revision=commit, local_files_only=True))
    files = list_files(target, commit)
    needed = dict.fromkeys([*needed_files(target, files), *(name for name in more if name in files)])
    return download(target, commit, [files[name] for name in needed])


def needed_files(target: Target, files: Iterable[str]) -> list[str]:
    """Return the names of the files that a checkpoint consists of, with one kind of weights."""
    names = list(files)
    forms = weight_forms(names)
    if forms:
        first, weights = next(iter(forms.items()))
        return [name for name in names if name in SMALL_FILES or name == first or name in weights]
    shown = ", ".join(sorted(names)[:12]) or "nothing"
    raise UserError(
        f"{target} has no weights in a supported format; it has {shown}\n"
        f"hint: supported are {', '.join(first for first, _ in WEIGHTS)}; convert others, and give the folder as "
        "`path`"
    )


def weight_forms(files: Iterable[str]) -> dict[str, list[str]]:
    """Return the forms of weights of a revision, the preferred one first: its first file, and the files of tensors."""
    names = list(files)
    forms = {}
    for first, parts in WEIGHTS:
        if first in names:
            forms[first] = [name for name in names if parts and re.fullmatch(parts, name)] if parts else [first]
    return forms
