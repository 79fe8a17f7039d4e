"""Name the checkpoints of a study's series, complete their facts, and check that each is available."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.annealed_twins import complete_twin, is_twin, name_twin
from ripeness.study.learning_rates import learning_rate
from ripeness.study.lock_file import COMMAND, LOCK_FILE, Lock, is_commit, locked
from ripeness.study.pretraining_steps import check_place, check_schedule
from ripeness.study.published_runs import (
    EvenPicks,
    branch_name,
    branches_of,
    is_by_tokens,
    known_steps,
    left_out,
    pick_even,
    read_tokens,
    series_facts,
    step_of,
    tokens_at,
    with_step,
)
from ripeness.study.schema import hint
from ripeness.study.study_config import Pretrain

NO_LOCK: Lock = {"models": {}, "datasets": {}}


def name_checkpoints(series: str, settings: dict[str, Any], lock: Lock = NO_LOCK) -> dict[str, dict[str, Any]]:
    """Name the checkpoints of a series, complete what its series file knows, and check that each can be had."""
    facts = series_facts(series, settings)
    if not (settings.keys() & {"checkpoints", "every"}):
        raise UserError(
            f"series.{series}: missing 'checkpoints'; a series lists them, or picks them with `every`\n"
            "hint: e.g. checkpoints: [{step: 1000}]"
        )
    lines = [(f"series.{series}.checkpoints.{n}", entry) for n, entry in enumerate(settings.get("checkpoints", []))]
    named: dict[str, dict[str, Any]] = {}
    for where, entry in lines:
        if facts and "pretrain" not in settings and is_by_tokens(entry, facts):
            entry = with_step(where, entry, facts, published_steps(where, facts, lock))
        name, completed = complete(where, entry, settings, facts)
        if name in named:
            raise UserError(f"{where}: duplicate checkpoint {name!r} in series {series!r}\nhint: remove one")
        named[name] = completed
    for step in even_steps(series, settings, facts, lock):
        entry = complete(f"series.{series}.every", {"step": step}, settings, facts)
        named.setdefault(*entry)
    if facts:
        named = {name: with_commit(facts, entry, lock) for name, entry in named.items()}
    where = f"series.{series}.checkpoints"
    check_tokens(where, named)
    return {n: complete_twin(where, entry, named, settings) if is_twin(entry) else entry for n, entry in named.items()}


def check_tokens(where: str, named: dict[str, dict[str, Any]]) -> None:
    """Refuse checkpoints of one run whose tokens do not rise with their steps; annealed ends have left the run."""
    run = {
        name: entry
        for name, entry in named.items()
        if {"step", "tokens"} <= entry.keys() and entry.get("phase") != "annealed"
    }
    for name, entry in run.items():
        if entry["step"] and not entry["tokens"]:
            raise UserError(
                f"{where}: {name!r} has 0 tokens at step {entry['step']:,}\n"
                "hint: leave `tokens` out if the number is unknown"
            )
    for (one, before), (other, after) in pairwise(sorted(run.items(), key=lambda pair: pair[1]["step"])):
        is_same = before["step"] == after["step"]
        if before["tokens"] == after["tokens"] if is_same else before["tokens"] < after["tokens"]:
            continue
        raise UserError(
            f"{where}: {one!r} has {before['tokens']:,} tokens at step {before['step']:,}, and {other!r} "
            f"{after['tokens']:,} at step {after['step']:,}\n"
            "hint: tokens increase with steps in one run; fix one of the two, or write each run as its own series"
        )


def complete(
    where: str, entry: dict[str, Any], settings: dict[str, Any], facts: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    """Name and line of one checkpoint, with what its series file says of it."""
    if is_twin(entry):
        return name_twin(where, entry, settings)
    if facts and "path" not in entry and "pretrain" not in settings:
        entry = from_facts(where, entry, facts)
    ways = {"path": "path" in entry, "revision": "revision" in entry, "pretrain": "pretrain" in settings}
    if sum(ways.values()) != 1:
        given = " and ".join(f"`{way}`" for way, is_given in ways.items() if is_given) or "nothing"
        raise UserError(
            f"{where}: {entry} comes from {given}; a checkpoint has exactly one source: `path`, `revision`, or a "
            "step of a series with `pretrain`, `from` or `repo`\n"
            "hint: checkpoints that are pre-trained here and others belong to different series"
        )
    if not ways["pretrain"] and (strange := sorted(entry.keys() & {"anneal_from", "steps"})):
        raise UserError(
            f"{where}: {' and '.join(strange)} belong to a series with `pretrain`\n"
            "hint: give `step`, `tokens`, `lr` and `phase: annealed` for a checkpoint that is already annealed"
        )
    if ways["revision"] and not ("repo" in entry and "step" in entry and "tokens" in entry):
        raise UserError(
            f"{where}: a revision needs `repo` in the series, and `step` and `tokens` of the checkpoint\n"
            "hint: they are in the model's card or in the name of its branch"
        )
    if ways["pretrain"]:
        check_pretrained(where, entry, settings["pretrain"])
    name = entry.get("name") or default_name(where, entry)
    return name, {key: value for key, value in entry.items() if key != "name"}


def from_facts(where: str, entry: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint on the hub: its step, tokens, rate and phase as published; what its own line says wins."""
    name = entry.get("name")
    if name in facts.get("named", {}) and "step" not in entry and "revision" not in entry:
        entry = facts["named"][name] | entry
    known: dict[str, Any] = {"repo": facts["repo"]}
    if "revision" not in entry:
        if "step" not in entry:
            near = hint(name, list(facts.get("named", {})), otherwise="give `step` or `revision`")
            raise UserError(f"{where}: {entry} has neither step nor revision\n{near}")
        check_step(where, entry["step"], facts)
        known |= {"revision": branch_name(facts, entry["step"]), "by_step": True}
    elif "step" not in entry and (step := step_of(facts, entry["revision"])) is not None:
        known["step"] = step
    step = known.get("step", entry.get("step"))
    if step is None:
        return known | entry
    if (tokens := tokens_at(facts, step)) is not None:
        known["tokens"] = tokens
    if "learning_rate" in facts and entry.get("phase", "stable") != "annealed":
        known["lr"] = learning_rate(facts["learning_rate"], step)
    if "decayed_from" in facts and step >= facts["decayed_from"]:
        known["phase"] = "decayed"
    return known | entry


def check_step(where: str, step: int, facts: dict[str, Any]) -> None:
    """Refuse a step that is not published, where all published ones are known."""
    steps = known_steps(facts)
    if why := left_out(facts).get(step):
        raise UserError(f"{where}: step {step} of {facts['repo']} is left out: {why}\nhint: {nearest(step, steps)}")
    if steps and step not in steps and facts["steps_are_complete"]:
        raise UserError(f"{where}: step {step} of {facts['repo']} is not published\nhint: {nearest(step, steps)}")


def nearest(step: int, steps: Iterable[int]) -> str:
    """Return the published steps around one that is not."""
    near = sorted(sorted(steps, key=lambda other: abs(other - step))[:4])
    return f"the nearest steps are {', '.join(map(str, near))}"


def even_picks(series: str, settings: dict[str, Any], facts: dict[str, Any] | None, lock: Lock) -> EvenPicks:
    """Pick the steps for `every`: from all branches if the lock file has them, else from published lists."""
    steps = published_steps(f"series.{series}.every", facts, lock)
    return pick_even(facts or {}, steps, read_tokens(settings["every"]))


def published_steps(where: str, facts: dict[str, Any] | None, lock: Lock) -> list[int]:
    """List the steps among which tokens choose: those of the lock file if it has all, else those of a list."""
    if not facts or "tokens_per_step" not in facts:
        raise UserError(
            f"{where}: tokens can be counted only if `tokens_per_step` is known\nhint: give it, with `repo`, or `from`"
        )
    found = lock["models"].get(facts["repo"], {})
    listed = {step_of(facts, name) for name in found.get("revisions", {})} if found.get("is_whole") else set()
    usable = listed - left_out(facts).keys()
    if steps := sorted(step for step in usable if step is not None) or known_steps(facts):
        return steps
    raise UserError(
        f"{where}: the steps of {facts['repo']} are neither in a series file nor in {LOCK_FILE}\nhint: {COMMAND}"
    )


def even_steps(series: str, settings: dict[str, Any], facts: dict[str, Any] | None, lock: Lock) -> list[int]:
    """Return the steps that `every` picks; none without it."""
    return list(even_picks(series, settings, facts, lock).steps.values()) if "every" in settings else []


def with_commit(facts: dict[str, Any], entry: dict[str, Any], lock: Lock) -> dict[str, Any]:
    """Return the line of a checkpoint with the branch that it means and its commit, if they are in the lock file."""
    if "revision" not in entry:
        return entry
    if is_commit(entry["revision"]):
        return entry
    known = locked(lock, "models", entry["repo"])
    names = branches_of(facts, entry, known)
    if len(names) != 1:
        return entry | {"commit": None}
    found = {"revision": names[0], "commit": known[names[0]]}
    return {key: value for key, value in entry.items() if key != "by_step"} | found


def check_pretrained(where: str, entry: dict[str, Any], settings: Pretrain) -> None:
    """Refuse a checkpoint line, or a model, that a pre-training here cannot make."""
    keys = set(entry) - {"name"}
    if keys not in ({"step"}, {"anneal_from", "steps"}):
        raise UserError(
            f"{where}: {entry} is neither {{step: N}} nor {{anneal_from: N, steps: M}}\n"
            "hint: tokens and learning rate follow from the pre-training settings"
        )
    series = where.partition(".checkpoints")[0]
    check_schedule(f"{series}.pretrain", settings)
    check_place(where, settings, entry)
    if settings["hidden_size"] % (2 * settings["n_heads"]):
        raise UserError(
            f"{series}.pretrain.hidden_size: {settings['hidden_size']} is not a multiple of twice n_heads, "
            f"{2 * settings['n_heads']}\nhint: positions are rotations of pairs, so a head has an even width"
        )


def default_name(where: str, entry: dict[str, Any]) -> str:
    """Return the name of a checkpoint that has none: its step."""
    if "anneal_from" in entry:
        return f"step{entry['anneal_from'] + entry['steps']}-annealed"
    if "step" in entry:
        return f"step{entry['step']}"
    raise UserError(f"{where}: a checkpoint needs a `name` or a `step`\nhint: e.g. {{path: ..., step: 1000}}")
