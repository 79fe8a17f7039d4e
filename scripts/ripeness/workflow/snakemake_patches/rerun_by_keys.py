"""Let the keys of results decide what runs again, in place of Snakemake's metadata and the times of files.

Snakemake asks of a job whose outputs are there: whether an input is newer, whether it has metadata, whether these are
of an older format, and whether its parameters, inputs, code or software have changed. Here the times say nothing, and
whether the parameters have changed is answered by the keys of its outputs.
"""

import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from ripeness.workflow.found_elsewhere import find_elsewhere
from ripeness.workflow.rerun_reasons import explain, may_not_run, say_again, take_as_they_are
from ripeness.workflow.reruns import BY_PROBE, Reruns, write_plan
from ripeness.workflow.result_keys import DATA, PLAN
from ripeness.workflow.snakemake_patches.checks_first import EXPENSIVE
from ripeness.workflow.snakemake_patches.patch import Patch
from ripeness.workflow.study_progress import NOT_NEEDED

NO_TOUCH = (
    "note: results are known by their keys and not by their times, and --touch gives them no key\n"
    "hint: make explain STUDY=... ACCEPT=no-key takes results as they are of which nothing is known"
)


def decide_by_keys(workflow: Any, logs: Path) -> None:
    """Have Snakemake ask the keys of results which jobs are to run, and note the key of each job that ends well."""
    if not workflow.is_main_process:
        return
    is_asked = "RIPENESS_EXPLAIN" in os.environ  # by a dry run
    reruns = Reruns(str(logs.parent), accepts=os.environ.get("RIPENESS_ACCEPT", "") if is_asked else "")
    note_keys(workflow, reruns)
    plan_by_keys(workflow, reruns, logs)
    compare_keys(reruns)


def note_keys(workflow: Any, reruns: Reruns) -> None:
    """Note the key of each job that begins, and that of its results once it has ended well."""
    from snakemake.jobs import Job

    register, postprocess = Job.register, Job.postprocess

    def begin(job: Job, *arguments: Any, **options: Any) -> None:
        register(job, *arguments, **options)
        if not (workflow.dryrun or workflow.touch):
            reruns.begin(job)

    async def postprocess_and_note(job: Job, *arguments: Any, **options: Any) -> None:
        await postprocess(job, *arguments, **options)
        if not (options.get("error") or workflow.touch):
            reruns.note(job)

    Job.register, Job.postprocess = begin, postprocess_and_note


def compare_keys(reruns: Reruns) -> None:
    """Have the keys say whether a job's parameters have changed; times, metadata and code say nothing."""
    from snakemake.jobs import Job
    from snakemake.persistence import NO_PARAMS_CHANGE, ParamsChange, PersistenceBase

    missing_output = Job.missing_output

    async def no_time(job: Job) -> None:
        return None

    async def missing(job: Job, requested: Any) -> AsyncIterator[Any]:
        async for file in missing_output(job, requested):
            if str(file).removeprefix(f"{reruns.results}/") not in reruns.found:
                yield file

    def params_changed(persistence: Any, job: Job, file: Any = None) -> ParamsChange:
        reasons = reruns.change(job)
        return ParamsChange(only_old=reasons, files=set(map(str, job.output))) if reasons else NO_PARAMS_CHANGE

    Job.missing_output, Job.output_mintime = missing, property(no_time)
    PersistenceBase.has_metadata = lambda persistence, job: True
    PersistenceBase.has_outdated_metadata = lambda persistence, job: False
    PersistenceBase.params_changed = params_changed
    for other in ("input_changed", "code_changed", "software_stack_changed"):
        setattr(PersistenceBase, other, lambda persistence, job, file=None: ())


def plan_by_keys(workflow: Any, reruns: Reruns, logs: Path) -> None:
    """Have the keys decide when Snakemake plans, and again once all data are made."""
    from snakemake.dag import DAG

    update_needrun, update_checkpoints = DAG.update_needrun, DAG.update_checkpoint_dependencies
    unmade: set[Any] = set()  # data that are to be made, while what reads them is there

    async def update_by_keys(dag: DAG, create_inventory: bool) -> None:
        depending = dag.depending
        if not (dag.forcerules or dag.forcefiles):  # of these Snakemake runs all that follows
            dag.depending = Cheap(depending)
        try:
            await update_needrun(dag, create_inventory)
        finally:
            dag.depending = depending

    async def update(dag: DAG, create_inventory: bool = False) -> None:
        if not create_inventory:
            await update_by_keys(dag, create_inventory)
            return
        jobs = [job for level in dag.toposorted() for job in level]
        is_dry = workflow.dryrun or workflow.touch or workflow.persistence.locked  # by another run; Snakemake says so
        find_elsewhere(reruns, jobs, is_dry=is_dry)
        accepted = list(take_as_they_are(reruns, jobs)) if reruns.accepts else []
        await update_by_keys(dag, create_inventory)
        unmade.update(finish_plan(workflow, dag, reruns, jobs, accepted, logs, is_dry=is_dry))

    async def update_once_made(dag: DAG, jobs: Any = None) -> bool:
        updated = await update_checkpoints(dag, jobs)
        if unmade and jobs is not None and not workflow.touch:
            unmade.difference_update(jobs)
            if not unmade:
                await decide_anew(dag, reruns)
                return True
        return bool(updated)

    DAG.update_needrun, DAG.update_checkpoint_dependencies = update, update_once_made


def finish_plan(
    workflow: Any, dag: Any, reruns: Reruns, jobs: list[Any], accepted: list[Any], logs: Path, *, is_dry: bool
) -> list[Any]:
    """Explain the plan and write it down; return the data that are made first, none in a dry run."""
    planned = [job for job in dag.needrun_jobs() if job.output]
    doubtful = may_not_run(reruns, planned)
    explain(reruns, planned, doubtful, accepted)
    say_again(reruns, planned, doubtful)
    if path := os.environ.get("RIPENESS_PLAN"):
        write_plan(Path(path), reruns, jobs)
    if workflow.touch:
        print(NO_TOUCH, file=sys.stderr)
    if is_dry:
        return []
    unmade = data_to_make(reruns, planned)
    keep_known(reruns, planned)
    if set(dag.workflow.dag_settings.targets or ()) <= {"all"}:
        write_plan(logs.parent / PLAN, reruns, jobs)
    return unmade


class Cheap(dict[Any, Any]):
    """What Snakemake runs because something before it runs, by job: nothing expensive, where the keys alone decide.

    A checkpoint that is missing and made again is the one that it was by its key; so what was tuned from it stands.
    """

    def __init__(self, depending: Any) -> None:
        """Take the jobs that read what a job makes."""
        self.depending = depending

    def __missing__(self, job: Any) -> dict[Any, Any]:
        """Leave out those that are expensive."""
        cheap = {one: files for one, files in self.depending[job].items() if one.rule.name not in EXPENSIVE}
        return self.setdefault(job, cheap)


def data_to_make(reruns: Reruns, planned: list[Any]) -> list[Any]:
    """Return the jobs that make data, where there are results of which these data may decide whether they stand."""
    if not any(made.key.rule in EXPENSIVE for made in reruns.keys.made.values()):
        return []
    data = [job for job in planned if job.rule.name in DATA]
    reruns.keys.note_contents(output for job in data for output in reruns.there(job))
    return data


async def decide_anew(dag: Any, reruns: Reruns) -> None:
    """Decide which jobs are to run, once all data are made: those that came out as before are no reason any more.

    This is what Snakemake does after a checkpoint. No expensive job has begun (see `checks_first`).
    """
    before = set(dag.needrun_jobs())
    for job in before:
        if not dag.is_running(job):
            dag.reason(job).clear()
    idle = [job for job in dag.jobs if not (dag.finished(job) or dag.is_running(job))]
    find_elsewhere(reruns, idle, is_dry=False)
    await dag.postprocess_after_update()
    not_needed = [job for job in before if job.output and not dag.needrun(job)]
    for job in not_needed:
        reruns.drop_known(job)
    keep_known(reruns, dag.needrun_jobs())
    if counts := Counter(job.rule.name for job in not_needed):
        print(NOT_NEEDED + ", ".join(f"{rule} {n}" for rule, n in counts.most_common()), file=sys.stderr)


def keep_known(reruns: Reruns, planned: Iterable[Any]) -> None:
    """Keep what is known of predictions that are made again."""
    for job in planned:
        if job.rule.name == BY_PROBE:
            reruns.keep_known(job)


PATCH = Patch(
    id="rerun_by_keys",
    changes="DAG.update_needrun and update_checkpoint_dependencies; five methods of Job; PersistenceBase",
    reason="metadata and times of files say nothing of results that were moved, copied or replaced in place",
    without="Snakemake's metadata and times of files decide what runs again, and results get no key",
    relies_on=(
        "snakemake.dag:DAG.finish",
        "snakemake.dag:DAG.is_running",
        "snakemake.dag:DAG.needrun_jobs",
        "snakemake.dag:DAG.postprocess",
        "snakemake.dag:DAG.postprocess_after_update",
        "snakemake.dag:DAG.update_checkpoint_dependencies",
        "snakemake.dag:DAG.update_needrun",
        "snakemake.jobs:Job.missing_output",
        "snakemake.jobs:Job.output_mintime",
        "snakemake.jobs:Job.postprocess",
        "snakemake.jobs:Job.register",
        "snakemake.jobs:Reason.clear",
        "snakemake.persistence:PersistenceBase.code_changed",
        "snakemake.persistence:PersistenceBase.has_metadata",
        "snakemake.persistence:PersistenceBase.has_outdated_metadata",
        "snakemake.persistence:PersistenceBase.input_changed",
        "snakemake.persistence:PersistenceBase.params_changed",
        "snakemake.persistence:PersistenceBase.software_stack_changed",
        "snakemake.persistence:ParamsChange",
    ),
    while_reading=decide_by_keys,
)
