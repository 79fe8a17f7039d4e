"""Resolve the names of revisions that a study needs to commits, and keep them in the lock file. Needs the hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study
from ripeness.study.load import load_study
from ripeness.study.lock_file import COMMIT, LOCK_FILE, Lock, Wanted, dataset_revisions, locked, read_lock, write_lock
from ripeness.study.published_runs import branches_of, is_by_tokens, known_steps, series_facts, step_of
from ripeness.study.schema import check_config, hint
from ripeness.study.series import nearest
from ripeness.study.study_config import Checkpoint

KIND: dict[str, Literal["model", "dataset"]] = {"models": "model", "datasets": "dataset"}  # of the hub's routes


def unresolved(study: Study) -> list[Wanted]:
    """Return the revisions that must be commits before they are fetched, and are not."""
    models = [
        Wanted("models", entry["repo"], entry["revision"], f"series.{series}: {name}")
        for series, checkpoints in study.checkpoints.items()
        for name, entry in checkpoints.items()
        if "repo" in entry
        and "revision" in entry
        and not entry.get("commit")
        and not COMMIT.fullmatch(entry["revision"])
    ]
    datasets = [
        wanted
        for wanted in dataset_revisions(study.tasks, study.settings)
        if wanted.revision not in locked(study.lock, wanted.kind, wanted.repo)
    ]
    return models + datasets


def resolve(config: dict[str, Any], task_folder: Path, lock_file: Path = LOCK_FILE, *, update: bool = False) -> Study:
    """Complete the lock file for a study and return the study with it; `update` resolves again what is in it."""
    lock = read_lock(lock_file)
    refs: dict[tuple[str, str], dict[str, str]] = {}
    listed = list(listed_series(check_config(config), lock, update=update))
    for series, facts in listed:
        lock["models"][facts["repo"]] = whole_list(series, facts, refs)
    if listed:
        write_lock(lock, lock_file)
    study = load_study(config, task_folder, lock_file)
    for wanted, entry, facts in wanted_models(study, update=update):
        name, commit = choose(wanted, entry, facts, refs_of(wanted.kind, wanted.repo, refs))
        add(lock, wanted, name, commit)
    for wanted in dataset_revisions(study.tasks, study.settings):
        if update or wanted.revision not in locked(lock, wanted.kind, wanted.repo):
            found = refs_of(wanted.kind, wanted.repo, refs)
            if wanted.revision not in found:
                raise missing(wanted, found)
            add(lock, wanted, wanted.revision, found[wanted.revision])
    if refs:
        write_lock(lock, lock_file)
    return load_study(config, task_folder, lock_file)


def listed_series(config: dict[str, Any], lock: Lock, *, update: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the series whose branches must all be known: those that choose by tokens, unless their list is there."""
    for name, settings in config.get("series", {}).items():  # a study of published numbers has none
        facts = series_facts(name, settings)
        lines = settings.get("checkpoints", [])
        if not facts or not ("every" in settings or any(is_by_tokens(entry, facts) for entry in lines)):
            continue
        if update or not lock["models"].get(facts["repo"], {}).get("is_whole"):
            yield name, facts


def whole_list(series: str, facts: dict[str, Any], refs: dict[tuple[str, str], dict[str, str]]) -> dict[str, Any]:
    """Return all branches of a repository that tell a step, with those that the series file names."""
    found = refs_of("models", facts["repo"], refs)
    kept = {name: commit for name, commit in found.items() if step_of(facts, name) is not None}
    if not kept:
        raise UserError(
            f"series.{series}: no branch of {facts['repo']} is named like {' or '.join(facts['branches'])}; it has "
            f"{', '.join(list(found)[:8]) or 'none'}\nhint: give the pattern of their names as `branches`"
        )
    for entry in facts.get("named", {}).values():
        kept |= {name: found[name] for name in branches_of(facts, entry, found)}
    return {"is_whole": True, "revisions": kept}


def refs_of(kind: str, repo: str, refs: dict[tuple[str, str], dict[str, str]]) -> dict[str, str]:
    """Return the branches and tags of a repository, requested once."""
    from ripeness.hub.client import list_refs

    if (kind, repo) not in refs:
        refs[kind, repo] = list_refs(repo, KIND[kind])
    return refs[kind, repo]


def wanted_models(study: Study, *, update: bool) -> Iterator[tuple[Wanted, Checkpoint, dict[str, Any]]]:
    """Return the checkpoints to resolve, each with its line and the facts of its series."""
    for series, checkpoints in study.checkpoints.items():
        facts = series_facts(series, study.settings.series[series].mapping)
        for name, entry in checkpoints.items():
            if (
                facts
                and "revision" in entry
                and not COMMIT.fullmatch(entry["revision"])
                and (update or not entry["commit"])
            ):
                yield Wanted("models", entry["repo"], entry["revision"], f"series.{series}: {name}"), entry, facts


def choose(wanted: Wanted, entry: Checkpoint, facts: dict[str, Any], found: dict[str, str]) -> tuple[str, str]:
    """Return the one branch that a checkpoint's line means, and its commit."""
    names = branches_of(facts, entry, found)
    if len(names) > 1:
        raise UserError(
            f"{wanted.where}: {len(names)} branches of {wanted.repo} match {wanted.revision!r}: "
            f"{', '.join(names[:4])}\nhint: give the full name as `revision`"
        )
    if not names and entry.get("by_step"):
        steps = [step for name in found if (step := step_of(facts, name)) is not None] or known_steps(facts)
        near = nearest(entry["step"], steps) if steps else f"its branches are {', '.join(list(found)[:8]) or 'none'}"
        raise UserError(f"{wanted.where}: {wanted.repo} has no branch for step {entry['step']}\nhint: {near}")
    if not names:
        raise missing(wanted, found)
    return names[0], found[names[0]]


def missing(wanted: Wanted, found: dict[str, str]) -> UserError:
    """Make the error for a name that no branch or tag bears."""
    near = hint(wanted.revision, list(found), otherwise=f"it has {', '.join(list(found)[:8]) or 'none'}")
    return UserError(f"{wanted.where}: {wanted.repo} has no branch or tag {wanted.revision!r}\n{near}")


def add(lock: Lock, wanted: Wanted, name: str, commit: str) -> None:
    """Put one resolved name into the lock."""
    entry = lock[wanted.kind].setdefault(wanted.repo, {"is_whole": False, "revisions": {}})
    entry["revisions"] = entry["revisions"] | {name: commit}
