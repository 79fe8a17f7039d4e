"""Say why jobs of a plan run, and which results are taken as they are though the plan would make others.

Tables and figures are never taken as they are: to make them again costs little and is always right. What is taken is
what costs much, and all that it was made from.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from ripeness.runtime.files import read_json, write_json
from ripeness.workflow.reruns import ACCEPT_NO_KEY, BY_PROBE, Job, Reruns
from ripeness.workflow.result_keys import DATA, FETCHED, NO_KEY, OF_WEIGHTS, WEIGHTS, Key

DELETED = "its model was deleted"
PERHAPS = "perhaps: if data that are made again come out otherwise"
CODE = "code"
RECORD = "training.json"  # which says what a model was tuned by


def take_as_they_are(reruns: Reruns, jobs: list[Job]) -> Iterator[dict[str, Any]]:
    """Take results as `accepts` says; yield their keys with their outputs, and with `accepted` what is overlooked.

    A result without a key is taken only where all that it was made from is as the plan has it, or is taken too.
    """
    stand: set[Job] = set()
    for job in jobs:
        reruns.key_of(job)
    for job in reruns.planned:
        outputs, reasons = reruns.there(job), reruns.change(job)
        is_whole = all(maker in stand for maker in job.dag.dependencies[job])
        if outputs and not reasons:
            stand.add(job)
            yield from known_results(reruns, job, outputs)
        elif not outputs and is_whole and all(file in job.temp_output for file in job.output):
            stand.add(job)
        elif reasons == {NO_KEY} and is_whole and may_be_taken(reruns, job):
            stand.add(job)
            reruns.taken |= set(outputs)
            key = reruns.planned[job]
            yield with_key(reruns, job, key, outputs) | {"accepted": NO_KEY} | probes_with_keys(reruns, job)


def known_results(reruns: Reruns, job: Job, outputs: list[str]) -> Iterator[dict[str, Any]]:
    """Yield outputs that have a key, and by now another than the plan's: of other code, or made of what was taken."""
    for output in outputs:
        made, planned = reruns.keys.of(output), reruns.planned[job]
        if made and (key := replace(planned, probes=made.key.probes)) != made.key:
            code = {"accepted": made.key.code} if made.key.code != key.code else {}
            yield with_key(reruns, job, key, [output]) | code


def with_key(reruns: Reruns, job: Job, key: Key, outputs: list[str]) -> dict[str, Any]:
    """Return outputs with their key, those of them that are kept, and what is known of data that it is the key of."""
    kept = [output for output in reruns.kept(job) if output in outputs]
    return {"key": asdict(key), "outputs": outputs, "kept": kept, "counts_as": reruns.keys.known_by(key)}


def may_be_taken(reruns: Reruns, job: Job) -> bool:
    """Say whether a result without a key may be taken as it is."""
    is_wanted = reruns.accepts == ACCEPT_NO_KEY and job in reruns.costly(job.dag)
    return is_wanted and not is_by_other_settings(reruns, job)


def is_by_other_settings(reruns: Reruns, job: Job) -> bool:
    """Say whether the record of a training names other settings than the plan; it may lack some that are newer."""
    for output in reruns.there(job):
        params = dict(job.params.items())
        if Path(output).name == RECORD and "settings" in params:
            made = read_json(Path(reruns.results) / output, dict).get("settings", {})
            planned = json.loads(params["settings"])
            return any(made[name] != planned[name] for name in made.keys() & planned.keys())
    return False


def probes_with_keys(reruns: Reruns, job: Job) -> dict[str, Any]:
    """Return the probes of a prediction with their keys, so that only those count that were measured."""
    if job.rule.name != BY_PROBE:
        return {}
    return {"probes": reruns.named_probes(job)}


def is_gone(reruns: Reruns, job: Job) -> bool:
    """Say whether a job has all outputs but some that are deleted once they were used."""
    gone = set(reruns.outputs(job)) - set(reruns.there(job))
    return any(Path(output).name == WEIGHTS for output in gone) and len(gone) < len(job.output)


def may_not_run(reruns: Reruns, planned: list[Job]) -> set[Job]:
    """Return the jobs of a plan that run only if data that are made again first come out otherwise than before."""
    if not any(reruns.former_key(job) for job in planned):
        return set()
    hoped: dict[Job, Key] = {}
    for job in planned:
        reruns.key_of(job)
    for job in reruns.planned:  # in which what a job reads is before it
        hoped[job] = reruns.former_key(job) or reruns.made_key(job, hoped)
    certain = reading_facts(reruns, set(planned))
    others = (job for job in planned if job.rule.name not in DATA and job not in certain)
    return {job for job in others if has_result(reruns, job, hoped[job])}


def reading_facts(reruns: Reruns, planned: set[Job]) -> set[Job]:
    """Return the jobs of a plan that read facts of checkpoints fetched by another key, and all that follow."""
    found: set[Job] = set()
    for job in planned:
        makers = {maker for maker in job.dag.dependencies[job] if maker.rule.name == FETCHED and maker in planned}
        others = any(reruns.former_key(maker) != reruns.planned[maker] for maker in makers)
        if others and job.rule.name not in OF_WEIGHTS:
            found.add(job)
    waiting = list(found)
    while waiting:
        job = waiting.pop()
        new = [one for one in job.dag.depending[job] if one in planned and one not in found]
        found.update(new)
        waiting += new
    return found


def has_result(reruns: Reruns, job: Job, key: Key) -> bool:
    """Say whether what is there of a job, or under another name, has a key; models were deleted once measured."""
    if not reruns.there(job):
        kept = reruns.kept(job)
        return bool(kept) and all(reruns.keys.elsewhere(key, output) for output in kept)
    made = [reruns.keys.of(output) for output in reruns.there(job)]
    is_made = bool(made) and (len(made) == len(job.output) or is_gone(reruns, job))
    return is_made and all(one is not None and not key.difference(one.key) for one in made)


def reason_of(reruns: Reruns, job: Job, doubtful: set[Job]) -> str:
    """Say why a job runs: what differs in its key, or that its output is missing."""
    if job in doubtful:
        return PERHAPS
    if changed := reruns.change(job):
        return "; ".join(sorted(changed))
    if reruns.there(job):
        return DELETED if is_gone(reruns, job) else "an input runs"
    return "missing"


def explain(reruns: Reruns, planned: list[Job], doubtful: set[Job], accepted: list[dict[str, Any]]) -> None:
    """Write why jobs run, and which results are taken as they are, to the file that the environment names."""
    if path := os.environ.get("RIPENESS_EXPLAIN"):
        changed = cache(reruns.codes.change)
        reasons: Counter[tuple[str, str]] = Counter()
        for job in planned:
            reason = reason_of(reruns, job, doubtful)
            if CODE in reason.replace(";", ",").split(", ") and (names := changed(*codes_of(reruns, job))):
                reason = f"{reason} ({names})"
            reasons[(job.rule.name, reason)] += 1
        write_json(Path(path), {"reasons": [[*pair, n] for pair, n in reasons.items()], "accepted": accepted})


def codes_of(reruns: Reruns, job: Job) -> tuple[str, str]:
    """Return the code that has made a result, and that of the plan."""
    now = reruns.planned[job].code
    made = (reruns.keys.of(output) for output in reruns.there(job))
    return next((one.key.code for one in made if one and one.key.code != now), now), now


def say_again(reruns: Reruns, planned: list[Job], doubtful: set[Job]) -> None:
    """Say how many jobs may not run after all, and how many models are tuned again only since they were deleted."""
    if doubtful:
        jobs = f"{len(doubtful)} of {len(planned)} jobs"
        print(f"note: {jobs} run only if data that are made again first come out otherwise", file=sys.stderr)
    if n_again := sum(is_gone(reruns, job) and not reruns.change(job) for job in planned if job not in doubtful):
        print(
            f"note: {n_again} models are tuned again: they were deleted once measured, and more is wanted of them",
            file=sys.stderr,
        )
