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

from ripeness.audit import terminal
from ripeness.runtime.errors import UserError
from ripeness.study.grid import MODELS, PUBLISHED, THEORY, formats_used, harness_tasks, kind_of
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files
from ripeness.study.strict_yaml import check_read
from ripeness.workflow import (
    clocks,
    code_digest,
    forecast,
    lookups,
    resources,
    slurm_submission,
    snakemake_cache,
    start_order,
)
from ripeness.workflow.snakemake_patches.warm import start as warm
from ripeness.workflow.wildcards import one_of


def refuse(check, *values):
    """What a check returns; what it has against the values ends the run with status 2."""
    try:
        return check(*values)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


snakemake_cache.hurry()
clocks.accept_other_clocks()
slurm_submission.quote_python()
start_order.go_offline()
start_order.limit_fetching(workflow)
refuse(check_read, workflow.configfiles)  # which Snakemake has read as YAML 1.1 has it
STUDY = refuse(load_study, config, SCRIPTS.parent / "tasks")
if workflow.is_main_process:
    refuse(check_files, STUDY)


from_plan = partial(snakemake_cache.from_plan, STUDY)
shell.prefix(
    f"set -euo pipefail; PROGRAMS={quote(snakemake_cache.in_project('scripts'))}; "
)  # in whichever folder it runs


def code_of(program, modules=None):
    """Digest of the code that decides a rule's numbers; as a `params` value it reruns the rule when they may change.

    `modules` is a lookup of modules that count for a job alone, such as that of its kind of tuning.
    """

    def digest(wildcards):  # a function: a job on a cluster reads the code of its own rule only
        more = modules(STUDY, wildcards) if modules else []
        return " ".join(code_digest.digest(SCRIPTS / file) for file in [f"{program}.py", *more])

    return digest


def study_folder(wildcards):
    """The study's folder, for programs that read all of it."""
    return lookups.shared.results(STUDY)


def start_warm():
    """Start local jobs, and members of a group on a cluster, as children of processes that have imported libraries."""
    if workflow.is_main_process and workflow.local_exec:
        warm.start_all(SCRIPTS, usage=Path(lookups.shared.results(STUDY)) / "logs")
    elif workflow.remote_exec and start_order.is_group(sys.argv):
        warm.start_all(SCRIPTS)


onstart:
    snakemake_cache.rest()
    if workflow.local_exec:
        start_order.weigh_few(workflow.scheduler, workflow.dag)
    else:
        slurm_submission.be_patient(workflow.scheduler)
    refuse(start_order.check_gpus, resources.wanted_gpus(STUDY), workflow.scheduler.global_resources.get("gpu"))
    start_order.check_first(workflow.scheduler, workflow.dag)
    start_warm()


if workflow.remote_exec:  # there is no onstart in a job of a cluster
    start_warm()
start_order.place_models(STUDY.config, is_group=workflow.remote_exec and start_order.is_group(sys.argv))


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
