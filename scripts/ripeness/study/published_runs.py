"""Read the facts of a published pre-training run (series/<name>.yaml): its steps, tokens and branches.

No network is used: which branches a repository really has is in the lock file (`ripeness.study.lock_file`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT, searched
from ripeness.study.schema import check_config, hint, read_schema, read_yaml
from ripeness.study.user_patterns import PatternError, fullmatch

SCHEMA = ROOT / "series.schema.yaml"
UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
OF_REPOSITORY = {"left_out", "same_weights"}  # what is known of one repository and not of another in its place
# A checkpoint stands for a point of an even grid when it is off by no more than this share of the spacing: neighbours
# are then between half a spacing and one and a half apart.
MOST_OFF = 0.25
# A checkpoint stands for a number of tokens when it is off by no more than this share of them.
MOST_APART = 0.05
MOST_POINTS = 100_000  # of a list of steps, or of an even grid


@dataclass(frozen=True)
class EvenPicks:
    """Checkpoints at even distances in tokens: the step for each point of the grid, and the points that have none."""

    steps: dict[int, int]
    holes: list[int]


def series_facts(series: str, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the facts of a series of the hub: its file, if it names one, under its own keys.

    None without a repository.
    """
    facts: dict[str, Any] = {}
    if "from" in settings:
        facts = read_series(settings["from"])
    own = {key: settings[key] for key in ("repo", "branches", "tokens_per_step") if key in settings}
    if own.get("repo", facts.get("repo")) != facts.get("repo"):
        facts = {key: value for key, value in facts.items() if key not in OF_REPOSITORY}
    facts = facts | own
    if "repo" not in facts:
        return None
    if "{seed}" in facts["repo"]:
        check_seed(series, settings, facts)
        facts["repo"] = facts["repo"].replace("{seed}", str(settings["seed"]))
    facts["left_out"] = of_seed(facts.get("left_out", []), settings["seed"])
    facts.setdefault("branches", read_schema(SCHEMA)["properties"]["branches"]["default"])
    return facts


def of_seed(entries: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Select the entries for the repository of one seed, without the key `seed`."""
    kept = [entry for entry in entries if entry.get("seed", seed) == seed]
    return [{key: value for key, value in entry.items() if key != "seed"} for entry in kept]


def left_out(facts: dict[str, Any]) -> dict[int, str]:
    """Return the steps whose branches cannot be used, each with why, and the source.

    Not those of one seed among several.
    """
    entries = [entry for entry in facts.get("left_out", []) if "seed" not in entry]
    return {
        step: f"{entry['why']} ({entry['source']})"
        for entry in entries
        for step in sorted(listed_steps(entry["steps"]))
    }


def same_weights_known(
    facts: dict[str, Any] | None, entries: Mapping[str, Mapping[str, Any]]
) -> list[tuple[dict[str, Any], list[str]]]:
    """List what is published about equal weights, each fact with the names of the study's checkpoints concerned."""
    facts = facts or {}
    steps = {entry.get("step"): name for name, entry in entries.items() if name not in facts.get("named", {})}
    found: list[tuple[dict[str, Any], list[str]]] = []
    for fact in facts.get("same_weights", []):
        names = [key if isinstance(key, str) else steps.get(key) for key in fact["checkpoints"]]
        found.append((fact, [name for name in names if name is not None and name in entries]))
    return [(fact, names) for fact, names in found if names]


@cache  # every job of a plan needs the size of its model
def read_series(name: str, folder: Path = ROOT / "series") -> dict[str, Any]:
    """Read and check one series file, the user's own first. Raises UserError for the first thing wrong."""
    folders = searched(folder)
    path = next((path for path in (place / f"{name}.yaml" for place in folders) if path.is_file()), None)
    if path is None:
        known = sorted({other.stem for place in folders for other in place.glob("*.yaml")})
        near = hint(name, known, otherwise="or leave `from` out and give `repo`")
        raise UserError(f"unknown series {name!r}; known are {', '.join(known)}\n{near}")
    try:
        facts = check_config(read_yaml(path), SCHEMA)
    except UserError as error:
        raise UserError(f"series/{name}.yaml: {error}") from None
    schedule = facts.get("learning_rate", {"decay": "constant"})
    if facts["name"] != name or (schedule["decay"] != "constant" and "end_step" not in schedule):
        raise UserError(
            f"series/{name}.yaml: the name is {facts['name']!r}, or a decay has no `end_step`\n"
            "hint: the name must be that of the file; series.schema.yaml explains every key"
        )
    lists = [facts.get("steps", []), *(entry["steps"] for entry in facts.get("left_out", []))]
    ranges = [part for steps in lists for part in steps if isinstance(part, dict)]
    if long := [part for part in ranges if (part["to"] - part["from"]) // part["by"] >= MOST_POINTS]:
        raise UserError(
            f"series/{name}.yaml: steps: {long[0]} are more than {MOST_POINTS:,} checkpoints\n"
            "hint: `by` is the number of steps from one published checkpoint to the next"
        )
    return facts


def check_seed(series: str, settings: dict[str, Any], facts: dict[str, Any]) -> None:
    """Refuse a seed that has no repository."""
    if settings["seed"] not in facts.get("seeds", [settings["seed"]]):
        raise UserError(
            f"series.{series}.seed: {settings['seed']} is not one of the published seeds of {facts['name']}, "
            f"{', '.join(map(str, facts['seeds']))}\nhint: give one of them, e.g. seed: {facts['seeds'][0]}"
        )


def known_steps(facts: dict[str, Any]) -> list[int]:
    """Return the published steps that can be used, in order; none if the file does not list them."""
    return sorted(listed_steps(facts.get("steps", [])) - left_out(facts).keys())


def listed_steps(parts: Iterable[int | dict[str, int]]) -> set[int]:
    """Return the steps in a list of single ones and ranges."""
    steps: set[int] = set()
    for part in parts:
        steps.update([part] if isinstance(part, int) else range(part["from"], part["to"] + 1, part["by"]))
    return steps


def tokens_at(facts: dict[str, Any], step: int) -> int | None:
    """Count the tokens of pre-training at a step; None if the tokens of a step are unknown."""
    return counted_tokens(facts, step) if "tokens_per_step" in facts else None


def counted_tokens(facts: dict[str, Any], step: int) -> int:
    """Count the tokens of pre-training at a step of a run whose `tokens_per_step` is known."""
    return facts.get("tokens_at_step_0", 0) + step * facts["tokens_per_step"]


def step_of(facts: dict[str, Any], branch: str) -> int | None:
    """Return the step that a branch's name tells; None for a branch of another kind."""
    for pattern in facts["branches"]:
        parts = [re.escape(part).replace(r"\*", ".*") for part in pattern.split("{step}")]
        try:
            match = fullmatch(r"(\d+)".join(parts), branch)
        except PatternError as error:
            raise UserError(f"branches: {pattern!r}: {error}\nhint: use fewer *") from None
        if match:
            return int(match[1])
    return None


def branch_name(facts: dict[str, Any], step: int) -> str:
    """Name the branch of a step, for messages; its full name is found when it is resolved."""
    return facts["branches"][-1].replace("{step}", str(step))


def branches_of(facts: dict[str, Any], entry: Mapping[str, Any], branches: Iterable[str]) -> list[str]:
    """Return the branches that a checkpoint's line means, among those given."""
    if entry.get("by_step"):
        return [branch for branch in branches if step_of(facts, branch) == entry["step"]]
    return [branch for branch in branches if fnmatchcase(branch, entry["revision"])]


def read_tokens(text: str) -> int:
    """Return the number of tokens in a text such as `250B tokens`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMBT]?) tokens", text)
    if not match or not (tokens := round(float(match[1]) * UNITS[match[2]])):
        raise UserError(f"every: {text!r} is not a number of tokens\nhint: e.g. 250B tokens, 1.5T tokens, 500M tokens")
    return tokens


def pick_even(facts: dict[str, Any], steps: Iterable[int], spacing: int) -> EvenPicks:
    """Pick the nearest step for every multiple of `spacing` tokens, from 0 to the end, unless it is too far off."""
    by_tokens = {counted_tokens(facts, step): step for step in steps}
    if max(by_tokens) // spacing >= MOST_POINTS:
        raise UserError(
            f"every: {spacing:,} tokens from one checkpoint to the next are more than {MOST_POINTS:,} checkpoints of "
            f"{max(by_tokens):,} tokens\nhint: give a larger distance, such as 10B tokens"
        )
    picked, holes = {}, []
    for target in range(0, max(by_tokens) + 1, spacing):
        nearest = min(by_tokens, key=lambda tokens: (abs(tokens - target), tokens))
        if abs(nearest - target) <= MOST_OFF * spacing:
            picked[target] = by_tokens[nearest]
        else:
            holes.append(target)
    return EvenPicks(picked, holes)


def is_by_tokens(entry: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Tell whether a checkpoint's line says how many tokens it is to have seen, and nothing of where it is."""
    is_found = entry.keys() & {"step", "revision", "path", "anneal"} or entry.get("name") in facts.get("named", {})
    return "tokens" in entry and not is_found


def with_step(where: str, entry: dict[str, Any], facts: dict[str, Any], steps: Iterable[int]) -> dict[str, Any]:
    """Return a line that chooses by tokens, with the nearest of these steps in their place.

    Raises UserError if none is near.
    """
    wanted = entry["tokens"]
    by_distance = sorted(steps, key=lambda step: (abs(counted_tokens(facts, step) - wanted), step))
    if abs(counted_tokens(facts, by_distance[0]) - wanted) > MOST_APART * wanted:
        # in a hole of the list the two nearest may lie on the same side
        below = [step for step in by_distance if counted_tokens(facts, step) < wanted][:1]
        above = [step for step in by_distance if counted_tokens(facts, step) > wanted][:1]
        near = " and ".join(f"step {step} with {counted_tokens(facts, step):,}" for step in below + above)
        raise UserError(
            f"{where}: no checkpoint of {facts['repo']} is within {MOST_APART:.0%} of {wanted:,} tokens\n"
            f"hint: the nearest on each side: {near}; give a `step`, or other tokens"
        )
    return {key: value for key, value in entry.items() if key != "tokens"} | {"step": by_distance[0]}
