"""Use results that were made under another name: of a method, a dataset, a format, or what was moved aside.

They are found by their key and linked to where the plan wants them. What stands there by another key, which a run would
overwrite, is moved to `removed/` first, where it is found again: so names can be swapped.
"""

import os
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path

from ripeness.runtime.files import link
from ripeness.workflow.reruns import Job, Reruns
from ripeness.workflow.result_keys import REMOVED, Keys


def find_elsewhere(reruns: Reruns, jobs: Iterable[Job], *, is_dry: bool) -> None:
    """Link results that were made under another name to where the plan wants them; a dry run only notes them."""
    places = {job: found for job in jobs if (found := places_of(reruns, job))}
    if is_dry:
        reruns.found = {output for found in places.values() for output in found}
        return
    results = Path(reruns.results)
    stale = [output for found in places.values() for output in found if os.path.lexists(results / output)]
    moved = {output: move_aside(reruns.keys, output) for output in stale}
    for job, found in places.items():
        for output, place in found.items():
            source = moved.get(place, place)
            link(results / source, results / output)
            known = reruns.keys.made[source]
            reruns.keys.add(known.key, [output], kept=[output] if known.size is not None else [])
        reruns.changes.pop(job, None)


def places_of(reruns: Reruns, job: Job) -> dict[str, str]:
    """Find the outputs of a job in other places, where those here are missing or by another key; nothing or all."""
    kept = reruns.kept(job)
    wanted = [output for output in kept if not os.path.exists(f"{reruns.results}/{output}")]
    if not kept or not (wanted or reruns.change(job)):
        return {}
    key = reruns.key_of(job)
    wanted = [output for output in kept if output in wanted or not reruns.keys.is_by(key, output)]
    found = {output: reruns.keys.elsewhere(key, output) for output in wanted}
    if not wanted or None in found.values():
        return {}
    for output in set(reruns.outputs(job)) - set(kept):
        if not os.path.exists(f"{reruns.results}/{output}"):
            found[output] = reruns.keys.elsewhere(key, output)
    return {output: place for output, place in found.items() if place is not None}


def move_aside(keys: Keys, output: str) -> str:
    """Move a result, or a folder of results, to `removed/`, next to what was moved there before.

    Return its place there. What was changed by hand has no key there.
    """
    folders = chain([""], (f"{number}/" for number in count(2)))
    places = (f"{REMOVED}/{folder}" for folder in folders)
    into = next(place for place in places if not os.path.lexists(keys.folder / place / output))
    (keys.folder / into / output).parent.mkdir(parents=True, exist_ok=True)
    known = keys.below(Path(output))
    (keys.folder / output).rename(keys.folder / into / output)
    keys.follow(known, into)
    return f"{into}{output}"
