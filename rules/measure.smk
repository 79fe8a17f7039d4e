"""Measuring: a model answers its probes, and the answers are scored apart, so that a metric never costs GPU time.

INPUTS: <results>/checkpoints/..., <results>/cells/<cell>/model or both for a small state, <results>/examples/...,
        <results>/corpus/...
OUTPUTS: <results>/cells/<cell>/predictions.parquet    log-likelihoods and texts, a row an item
         <results>/cells/<cell>/items.parquet          scored items
         <results>/cells/<cell>/measurements.parquet   a row a metric, with its standard error
         <results>/cells/<cell>/cell.parquet           what became of the cell: done, or diverged and why
"""


rule predict:
    """Measure one model on its probes; the untouched checkpoint is the model of method `base`."""
    input:
        model=from_plan(lookups.measure.model_folder),
        checkpoint=from_plan(lookups.measure.checkpoint_of_state),
        starts=from_plan(lookups.measure.starts_of_state),
        training=from_plan(lookups.measure.training_record),
        examples=from_plan(lookups.measure.probe_files),
    output:
        predictions="<results>/cells/<cell>/predictions.parquet",
    log:
        "<logs>/predict/<cell>.log",
        usage="<logs>/predict/<cell>.usage.json",
    # before more is tuned, so that few tuned models exist at any time
    priority: 10
    conda:
        "../envs/ripeness.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=from_plan(resources.prediction_memory),
        runtime=from_plan(resources.prediction_minutes),
    params:
        code=code_of("predict", lookups.measure.kind_modules),
        probes=from_plan(lookups.measure.probe_list),
        batch_tokens=STUDY.settings.predict.batch_tokens,
        precision=STUDY.settings.predict.precision,
        delete=from_plan(lookups.measure.delete_option),
    shell:
        r"""
        python "$PROGRAMS/predict.py" \
            --model {input.model:q} \
            --probes {params.probes:q} \
            --seed {wildcards.seed} \
            --training {input.training:q} \
            --known "$(dirname {output.predictions:q})"/known.json \
            --batch-tokens {params.batch_tokens} \
            --precision {params.precision} \
            {params.delete} \
            --threads {threads} \
            --output {output.predictions:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule score:
    """Score the predictions of one cell."""
    input:
        predictions="<results>/cells/<cell>/predictions.parquet",
        checkpoint="<results>/checkpoints/{series}/{checkpoint}",
        training=from_plan(lookups.measure.training_record),
    output:
        scored="<results>/cells/<cell>/items.parquet",
        measurements="<results>/cells/<cell>/measurements.parquet",
        status="<results>/cells/<cell>/cell.parquet",
    log:
        "<logs>/score/<cell>.log",
        usage="<logs>/score/<cell>.usage.json",
    priority: 15
    conda:
        "../envs/ripeness.yaml"
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        code=code_of("score"),
        cell=from_plan(lookups.measure.cell_identity),
        method=from_plan(lookups.measure.method_facts),
        usage=from_plan(lookups.measure.training_usage),
        probes=from_plan(lookups.measure.scored_probes),
        normalisations=from_plan(lookups.measure.probe_normalisations),
        extracts=from_plan(lookups.measure.probe_extracts),
        words=from_plan(lookups.measure.probe_words),
        metrics=from_plan(lookups.measure.probe_metrics),
    shell:
        r"""
        python "$PROGRAMS/score.py" \
            --predictions {input.predictions:q} \
            --checkpoint {input.checkpoint:q}/checkpoint.json \
            --cell {params.cell:q} \
            --probes {params.probes:q} \
            --normalisations {params.normalisations:q} \
            --extracts {params.extracts:q} \
            --words {params.words:q} \
            --metrics {params.metrics:q} \
            --method {params.method:q} \
            --training {input.training:q} \
            --training-usage {params.usage:q} \
            --items {output.scored:q} \
            --measurements {output.measurements:q} \
            --status {output.status:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
