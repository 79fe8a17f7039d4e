"""Read and write the lock file: the commit of each branch or tag of the hub when it was resolved.

Pure: `scripts/resolve_revisions.py` queries the hub and writes the file, everything else reads it. It is sorted, so
that version control shows what a new resolution changed; commit it with the study.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole
from ripeness.study.schema import read_yaml
from ripeness.study.study_config import StudyConfig

Lock = dict[str, dict[str, dict[str, Any]]]  # {models | datasets: {repository: {is_whole, revisions: {name: commit}}}}
LOCK_FILE = Path("hub.lock.yaml")
COMMIT = re.compile(r"[0-9a-f]{40}")
COMMAND = "make resolve STUDY=<the study's file>, on a machine with network"
HEADER = "# Commits that branches and tags stood for; written by `make resolve`, to be kept under version control.\n"


@dataclass(frozen=True)
class Wanted:
    """A revision that a study names and that must be a commit before it is fetched; `where` is for messages."""

    kind: str  # models or datasets
    repo: str
    revision: str
    where: str


def is_commit(revision: str) -> bool:
    """Tell whether a revision is a commit already."""
    return COMMIT.fullmatch(revision) is not None


def read_lock(path: Path = LOCK_FILE) -> Lock:
    """Read the lock file; an empty lock if there is none."""
    lock: Lock = {"models": {}, "datasets": {}}
    if not Path(path).is_file():
        return lock
    found = read_yaml(path)
    for kind, repos in found.items():
        if kind not in lock or not isinstance(repos, dict):
            raise damaged(path, kind)
        for repo, entry in repos.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("revisions"), dict):
                raise damaged(path, f"{kind}.{repo}")
            for name, commit in entry["revisions"].items():
                if not isinstance(commit, str) or not is_commit(commit):
                    raise damaged(path, f"{kind}.{repo}.revisions.{name}")
            lock[kind][repo] = {"is_whole": entry.get("is_whole") is True, "revisions": entry["revisions"]}
    return lock


def damaged(path: Path, where: str) -> UserError:
    """Make the error for a lock file that nobody could have written."""
    return UserError(
        f"{path}: {where} is not in the form that `make resolve` writes\nhint: restore it, or delete it "
        "and resolve again"
    )


def write_lock(lock: Lock, path: Path = LOCK_FILE) -> None:
    """Write the lock file, sorted."""
    kept = {
        kind: {
            repo: ({"is_whole": True} if entry["is_whole"] else {}) | {"revisions": entry["revisions"]}
            for repo, entry in repos.items()
        }
        for kind, repos in lock.items()
        if repos
    }
    with whole(path) as temporary:
        temporary.write_text(HEADER + yaml.safe_dump(kept, sort_keys=True, width=1000), encoding="utf-8")


def locked(lock: Lock, kind: str, repo: str) -> dict[str, str]:
    """Return the commits of the names of one repository."""
    return lock.get(kind, {}).get(repo, {}).get("revisions", {})


def with_commit(lock: Lock, source: dict[str, Any], repo: str) -> dict[str, Any]:
    """Return a source of a dataset with the commit of its revision, where that is a name."""
    if is_commit(source["revision"]):
        return source
    return source | {"commit": locked(lock, "datasets", repo).get(source["revision"])}


def commit_of(source: dict[str, Any]) -> str:
    """Return the commit to fetch. Raises UserError for a name that is not resolved."""
    commit = source.get("commit") or source["revision"]
    if not is_commit(commit):
        repo = source.get("repo") or source.get("hub") or source.get("id")
        raise UserError(
            f"{source['revision']!r} of {repo} is not resolved to a commit: it is not in {LOCK_FILE}\nhint: {COMMAND}"
        )
    return commit


def dataset_revisions(tasks: Mapping[str, Any], config: StudyConfig) -> Iterator[Wanted]:
    """Yield the revisions of datasets that are names: of tasks, of texts, and of pre-training text."""
    for name, task in tasks.items():
        if "hub" in task.source and not is_commit(task.source["revision"]):
            yield Wanted("datasets", task.source["hub"], task.source["revision"], f"datasets.{name}.source.revision")
    for name, series in config.series.items():
        text = series.pretrain["source"].get("hub") if series.pretrain else None
        if text and not is_commit(text["revision"]):
            yield Wanted("datasets", text["id"], text["revision"], f"series.{name}.pretrain.source.hub.revision")
    for name, settings in config.texts.items():
        text = settings.hub
        if text and not is_commit(text["revision"]):
            yield Wanted("datasets", text["id"], text["revision"], f"texts.{name}.hub.revision")
