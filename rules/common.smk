"""The plan of the study and the names that rules share; the only chapter with functions.

INPUTS: config (config.yaml or the file given by --configfile), tasks/*.yaml
OUTPUTS: STUDY, and the wildcard constraints made from its names
"""

import sys
from functools import partial
from pathlib import Path
from shlex import quote

SCRIPTS = Path(workflow.basedir) / "scripts"
if str(SCRIPTS) not in sys.path:
    sys.path.insert(0, str(SCRIPTS))

from ripeness import (
    audit_lookups,
    audit_terminal,
    dataset_lookups,
    forecast,
    harness_lookups,
    lookups,
    needs,
    planning,
    report_lookups,
    scheduling,
    sensitivity_lookups,
    series_lookups,
    sources,
    submitting,
    twin_lookups,
    theory_lookups,
    treatment_lookups,
    warm,
    weight_lookups,
)
from ripeness.errors import UserError
from ripeness.disk import check_files
from ripeness.patterns import one_of
from ripeness.plan import MODELS, PUBLISHED, THEORY, formats_used, harness_tasks, kind_of
from ripeness.strict_yaml import check_read
from ripeness.study import load_study


def refuse(check, *values):
    """What a check returns; what it has against the values ends the run with status 2."""
    try:
        return check(*values)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


planning.hurry()
scheduling.go_offline()
scheduling.limit_fetching(workflow)
refuse(check_read, workflow.configfiles)  # which Snakemake has read as YAML 1.1 has it
STUDY = refuse(load_study, config, SCRIPTS.parent / "tasks")
if workflow.is_main_process:
    refuse(check_files, STUDY)


from_plan = partial(planning.from_plan, STUDY)
shell.prefix(f"set -euo pipefail; PROGRAMS={quote(planning.in_project('scripts'))}; ")  # in whichever folder it runs


def code_of(program):
    """Digest of the code that decides a rule's numbers; as a `params` value it reruns the rule when they may change."""

    def digest(wildcards):  # a function: a job on a cluster reads the code of its own rule only
        return sources.digest(SCRIPTS / f"{program}.py")

    return digest


def study_folder(wildcards):
    """The study's folder, for programs that read all of it."""
    return lookups.results(STUDY)


def start_warm():
    """Start local jobs, and members of a group on a cluster, as children of processes that have imported libraries."""
    if workflow.is_main_process and workflow.local_exec:
        warm.start_all(SCRIPTS, usage=Path(lookups.results(STUDY)) / "logs")
    elif workflow.remote_exec and scheduling.is_group(sys.argv):
        warm.start_all(SCRIPTS)


onstart:
    planning.rest()
    if workflow.local_exec:
        scheduling.weigh_few(workflow.scheduler, workflow.dag)
    else:
        refuse(scheduling.check_python, sys.executable)
        submitting.submit_patiently(workflow.scheduler)
    refuse(scheduling.check_gpus, needs.wanted_gpus(STUDY), workflow.scheduler.global_resources.get("gpu"))
    scheduling.check_first(workflow.scheduler, workflow.dag)
    start_warm()


if workflow.remote_exec:  # there is no onstart in a job of a cluster
    start_warm()
scheduling.place_models(STUDY.config, is_group=workflow.remote_exec and scheduling.is_group(sys.argv))


def kept(model):
    """A tuned model as the study wants it: deleted once nothing needs it, or kept."""
    return model if STUDY.config["keep_models"] == "all" else temp(model)


wildcard_constraints:
    series=one_of(STUDY.checkpoints),
    checkpoint=one_of({name for series in STUDY.checkpoints.values() for name in series}),
    dataset=one_of([*STUDY.tasks, *STUDY.config["texts"], *harness_tasks(STUDY)]),
    format=one_of([*formats_used(STUDY), "text", "lm_eval"]),
    method=one_of(["base", *STUDY.recipes]),
    tuning=one_of([method for method in STUDY.config["methods"] if method != "base"]),
    seed=r"\d+",
    step=r"\d+",
    text=one_of(STUDY.config["texts"]),
