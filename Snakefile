"""When, in its pre-training, is a language model ripe for fine-tuning?

A table of contents: the study, the path conventions, the chapters in the order they run, the targets.
"""

from snakemake.utils import min_version

min_version("9.27")


# A study given by --configfile replaces config.yaml completely; Snakemake would merge them.
if "study" not in config or not workflow.configfiles:

    configfile: f"{workflow.current_basedir.get_path_or_uri(secret_free=False)}/config.yaml"


include: "rules/common.smk"


pathvars:
    results=f"results/{STUDY.settings.study}",
    logs=f"results/{STUDY.settings.study}/logs",
    cell="{series}/{checkpoint}/{dataset}/{format}/{method}/seed{seed}",


report: "reports/workflow.rst"


container: rule_values.image("envs/ripeness.sif")  # only with --sdm apptainer; docs/slurm.md


include: "rules/prepare.smk"
include: "rules/pictures.smk"
include: "rules/texts.smk"
include: "rules/fetch.smk"
include: "rules/pretrain.smk"
include: "rules/anneal.smk"
include: "rules/audit.smk"
include: "rules/train.smk"
include: "rules/measure.smk"
include: "rules/perturb.smk"
include: "rules/collect.smk"
include: "rules/theory.smk"
include: "rules/keep.smk"
include: "rules/analyse.smk"
include: "rules/provenance.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "<results>/report.html",
        rules.write_report.input,  # whatever of them is missing is made again
        from_plan(lookups.collect.item_tables),
        from_plan(lookups.keep.kept_models),


rule prepare:
    input:
        from_plan(lookups.fetch.ready_inputs),


rule measure:
    input:
        from_plan(lookups.audit.audited_inputs),
        from_plan(lookups.collect.checkpoint_tables),
        from_plan(lookups.perturb.sensitivity_tables),
