"""Let the keys of results decide what runs again, in place of Snakemake's metadata and the times of files.

Snakemake asks of a job whose outputs are there: whether an input is newer, whether it has metadata, whether these are
of an older format, and whether its parameters, inputs, code or software have changed. Here the times say nothing, and
whether the parameters have changed is answered by the keys of its outputs.
"""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ripeness.workflow.rerun_reasons import explain, say_again, take_as_they_are
from ripeness.workflow.reruns import BY_PROBE, Reruns, write_plan
from ripeness.workflow.result_keys import PLAN
from ripeness.workflow.snakemake_patches.patch import Patch

NO_TOUCH = (
    "note: results are known by their keys and not by their times, and --touch gives them no key\n"
    "hint: make explain STUDY=... ACCEPT=no-key takes results as they are of which nothing is known"
)


def decide_by_keys(workflow: Any, logs: Path) -> None:
    """Have Snakemake ask the keys of results which jobs are to run, and note the key of each job that ends well."""
    if not workflow.is_main_process or workflow.storage_settings.default_storage_provider is not None:
        return  # results in an object store have no folder in which keys could be
    from snakemake.dag import DAG
    from snakemake.jobs import Job
    from snakemake.persistence import NO_PARAMS_CHANGE, ParamsChange, PersistenceBase

    is_asked = "RIPENESS_EXPLAIN" in os.environ  # by a dry run
    reruns = Reruns(str(logs.parent), accepts=os.environ.get("RIPENESS_ACCEPT", "") if is_asked else "")
    postprocess, update_needrun, missing_output = Job.postprocess, DAG.update_needrun, Job.missing_output
    register = Job.register

    async def no_time(job: Job) -> None:
        return None

    def begin(job: Job, *arguments: Any, **options: Any) -> None:
        register(job, *arguments, **options)
        if not (workflow.dryrun or workflow.touch):
            reruns.begin(job)

    async def postprocess_and_note(job: Job, *arguments: Any, **options: Any) -> None:
        await postprocess(job, *arguments, **options)
        if not (options.get("error") or workflow.touch):
            reruns.note(job)

    async def missing(job: Job, requested: Any) -> AsyncIterator[Any]:
        async for file in missing_output(job, requested):
            if str(file) not in reruns.found:
                yield file

    async def update(dag: DAG, create_inventory: bool = False) -> None:
        if not create_inventory:
            await update_needrun(dag, create_inventory)
            return
        jobs, is_dry = [job for level in dag.toposorted() for job in level], workflow.dryrun or workflow.touch
        reruns.find_elsewhere(jobs, is_dry=is_dry)
        accepted = list(take_as_they_are(reruns, jobs)) if reruns.accepts else []
        await update_needrun(dag, create_inventory)
        planned = [job for job in dag.needrun_jobs() if job.output]
        explain(reruns, planned, accepted)
        say_again(reruns, planned)
        if path := os.environ.get("RIPENESS_PLAN"):
            write_plan(Path(path), reruns, jobs)
        if workflow.touch:
            print(NO_TOUCH, file=sys.stderr)
        if is_dry:
            return
        for job in planned:
            if job.rule.name == BY_PROBE:
                reruns.keep_known(job)
        if set(dag.workflow.dag_settings.targets or ()) <= {"all"}:
            write_plan(logs.parent / PLAN, reruns, jobs)

    def params_changed(persistence: Any, job: Job, file: Any = None) -> ParamsChange:
        reasons = reruns.change(job)
        return ParamsChange(only_old=reasons, files=set(map(str, job.output))) if reasons else NO_PARAMS_CHANGE

    DAG.update_needrun, Job.missing_output = update, missing
    Job.output_mintime = property(no_time)
    Job.register, Job.postprocess = begin, postprocess_and_note
    PersistenceBase.has_metadata = lambda persistence, job: True
    PersistenceBase.has_outdated_metadata = lambda persistence, job: False
    PersistenceBase.params_changed = params_changed
    for other in ("input_changed", "code_changed", "software_stack_changed"):
        setattr(PersistenceBase, other, lambda persistence, job, file=None: ())


PATCH = Patch(
    id="rerun_by_keys",
    changes="DAG.update_needrun; Job.register, postprocess, missing_output, output_mintime; PersistenceBase",
    reason="metadata and times of files say nothing of results that were moved, copied or replaced in place",
    without="Snakemake's metadata and times of files decide what runs again, and results get no key",
    relies_on=(
        "snakemake.dag:DAG.needrun_jobs",
        "snakemake.dag:DAG.update_needrun",
        "snakemake.jobs:Job.missing_output",
        "snakemake.jobs:Job.output_mintime",
        "snakemake.jobs:Job.postprocess",
        "snakemake.jobs:Job.register",
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
