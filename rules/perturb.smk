"""Perturbing: noise on the weights of a checkpoint, and rounding them, and what that does to its loss on running text.

INPUTS: <results>/checkpoints/{series}/{checkpoint}, the series at step 0, <results>/texts/..., <results>/corpus/...
OUTPUTS: <results>/sensitivity/{series}/{checkpoint}.parquet    a row a perturbation and text
         <results>/tables/sensitivity.parquet                   those of all checkpoints
"""


localrules:
    collect_sensitivity,


rule measure_sensitivity:
    """Measure the loss of one checkpoint on running text with noise on its weights, and with rounded weights."""
    input:
        checkpoint="<results>/checkpoints/{series}/{checkpoint}",
        start=from_plan(lookups.perturb.start_of_series),
        texts=from_plan(lookups.perturb.text_inputs),
    output:
        table="<results>/sensitivity/{series}/{checkpoint}.parquet",
    log:
        "<logs>/measure_sensitivity/{series}/{checkpoint}.log",
        usage="<logs>/measure_sensitivity/{series}/{checkpoint}.usage.json",
    wildcard_constraints:
        series=one_of(lookups.perturb.perturbed_series(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=from_plan(resources.sensitivity_memory),
        runtime=from_plan(resources.sensitivity_minutes),
    params:
        code=code_of("measure_sensitivity"),
        texts=from_plan(lookups.perturb.text_list),
        settings=from_plan(lookups.perturb.noise_settings),
        study=STUDY.settings.study,
        batch_tokens=STUDY.settings.predict.batch_tokens,
        precision=STUDY.settings.predict.precision,
    shell:
        r"""
        python "$PROGRAMS/measure_sensitivity.py" \
            --model {input.checkpoint:q} \
            --start {input.start:q} \
            --texts {params.texts:q} \
            --settings {params.settings:q} \
            --study {params.study:q} \
            --batch-tokens {params.batch_tokens} \
            --precision {params.precision} \
            --threads {threads} \
            --output {output.table:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule collect_sensitivity:
    """Collect the tables of all perturbed checkpoints."""
    input:
        tables=from_plan(lookups.perturb.sensitivity_tables),
        measurements=from_plan(lookups.collect.checkpoint_tables),
        cells=from_plan(lookups.collect.status_tables),
    output:
        table="<results>/tables/sensitivity.parquet",
    log:
        "<logs>/collect_sensitivity.log",
        usage="<logs>/collect_sensitivity.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("collect_sensitivity"),
    shell:
        r"""
        python "$PROGRAMS/collect_sensitivity.py" \
            --tables {input.tables:q} \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --output {output.table:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
