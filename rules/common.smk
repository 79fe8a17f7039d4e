"""The plan of the study and the names that rules share; the only chapter with functions.

INPUTS: config (config.yaml or the file given by --configfile), tasks/*.yaml
OUTPUTS: STUDY, and the wildcard constraints made from its names
"""

import sys
from functools import partial
from pathlib import Path
from shlex import quote

from snakemake.utils import update_config

SCRIPTS = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parent / "scripts"
if str(SCRIPTS) not in sys.path:
    sys.path.insert(0, str(SCRIPTS))

from ripeness.audit import terminal
from ripeness.runtime.errors import UserError
from ripeness.study.grid import formats_used, harness_tasks
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files
from ripeness.study.strict_yaml import check_read
from ripeness.study.study_config import MODELS, PUBLISHED, THEORY
from ripeness.workflow import (
    code_digest,
    forecast,
    given_config,
    lookups,
    reruns,
    resources,
    rule_values,
    run_conditions,
    snakemake_call,
)
from ripeness.workflow.snakemake_patches import plain_paths, slurm_submission
from ripeness.workflow.snakemake_patches import register as patches
from ripeness.workflow.wildcards import one_of


def refuse(check, *values):
    """What a check returns; what it has against the values ends the run with status 2."""
    try:
        return check(*values)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


run_conditions.go_offline()
refuse(check_read, workflow.configfiles)  # which Snakemake has read as YAML 1.1 has it
refuse(given_config.check_whole, workflow.configfiles)
update_config(config, given_config.with_numbers(dict(workflow.config_settings.config)))
STUDY = refuse(load_study, config, SCRIPTS.parent / "tasks")
LOGS = Path(lookups.shared.results(STUDY)) / "logs"
if workflow.is_main_process:
    refuse(run_conditions.check_storage, workflow.storage_settings.default_storage_provider)
    refuse(run_conditions.check_writable, Path.cwd())
    refuse(check_files, STUDY)
    refuse(plain_paths.check_study, STUDY)
patches.while_reading(workflow, LOGS)  # before the first rule


from_plan = partial(rule_values.from_plan, STUDY)
shell.prefix(f"set -euo pipefail; PROGRAMS={quote(rule_values.in_project('scripts'))}; ")  # in whichever folder it runs


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


def compare_with_last_run():
    """What has changed since the last run; another study of the same name ends the run with status 2."""
    here = STUDY, Path(study_folder(None)), Path(workflow.configfiles[-1])
    for line in refuse(given_config.check_same_study, *here):
        print(line, file=sys.stderr)
    given_config.note_study(*here)


onstart:
    compare_with_last_run()
    if not workflow.local_exec and not slurm_submission.PATCH.is_made():  # which puts the path into quotes
        refuse(run_conditions.check_python, sys.executable)
    refuse(run_conditions.check_gpus, resources.wanted_gpus(STUDY), workflow.scheduler.global_resources.get("gpu"))
    patches.at_start(workflow, LOGS)


run_conditions.place_models(STUDY.settings, is_group=workflow.remote_exec and snakemake_call.is_group(sys.argv))


def kept(model):
    """A tuned model as the study wants it: deleted once nothing needs it, or kept."""
    return model if STUDY.settings.keep_models == "all" else temp(model)


wildcard_constraints:
    series=one_of(STUDY.checkpoints),
    checkpoint=one_of({name for series in STUDY.checkpoints.values() for name in series}),
    dataset=one_of([*STUDY.tasks, *STUDY.settings.texts, *harness_tasks(STUDY), "text"]),
    format=one_of([*formats_used(STUDY), "text", "lm_eval"]),
    method=one_of(["base", *STUDY.recipes]),
    tuning=one_of(STUDY.settings.tuning_methods),
    seed=r"\d+",
    step=r"\d+",
    text=one_of(STUDY.settings.texts),
