"""Read digests of weights from the hub's list of a commit (sha256 of each file), before any is downloaded."""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.hf_api import RepoFile

from ripeness.hub.checkpoint_folder import needed_files, weight_forms
from ripeness.hub.download import list_files
from ripeness.hub.target import Target
from ripeness.study.lock_file import commit_of

AT_ONCE = 4  # lists that are requested; each is one or a few requests
SHA256 = re.compile(r"[0-9a-f]{64}")


def listed_weights(source: dict[str, Any]) -> dict[str, Any] | None:
    """Return the digests of the files of a checkpoint {repo, revision, commit}, as in same_weights.py.

    None where there is no network and the cache does not hold them. UserError for a revision without weights.
    """
    repo, commit = source["repo"], commit_of(source)
    if constants.is_offline_mode():
        return cached_weights(repo, commit)
    target = Target("model", repo, source["revision"])
    files = list_files(target, commit)
    needed_files(target, files)
    return preferred(form_digests(files))


def form_digests(files: Mapping[str, RepoFile]) -> dict[str, list[str]]:
    """Return the digests of the files for each form of weights of a commit, the preferred form first."""
    return {
        form: sorted(digest_of(files[name]) for name in names) for form, names in weight_forms(files).items() if names
    }


def preferred(forms: Mapping[str, list[str]]) -> dict[str, Any] | None:
    """Return the record of the form that is fetched; None without any."""
    return {"kind": "files", "parts": next(iter(forms.values())), "rest": []} if forms else None


def digest_of(file: RepoFile) -> str:
    """Return the sha256 of a large file, git's hash of a small one."""
    return file.lfs.sha256 if file.lfs else f"git {file.blob_id}"


def cached_weights(repo: str, commit: str) -> dict[str, Any] | None:
    """Return the same record from the cache, in which a file is a link to one that is named by its sha256."""
    try:
        folder = Path(snapshot_download(repo, revision=commit, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    forms = weight_forms(path.name for path in folder.iterdir())
    names = [(folder / name).resolve().name for name in next(iter(forms.values()), [])]
    if not names or not all(SHA256.fullmatch(name) for name in names):
        return None
    return {"kind": "files", "parts": sorted(names), "rest": []}


def all_forms(repo: str, commits: Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """Return the digests of every form of weights in each of these branches {name: commit}.

    A commit is requested once.
    """
    names = {commit: name for name, commit in reversed(list(commits.items()))}

    def ask(commit: str) -> dict[str, list[str]]:
        return form_digests(list_files(Target("model", repo, names[commit]), commit))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(names, pool.map(ask, names), strict=True))
    return {name: found[commit] for name, commit in commits.items()}
