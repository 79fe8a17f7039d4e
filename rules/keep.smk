"""Keeping: with `keep_models: best`, one tuned model of every checkpoint, dataset and method.

Which one is best is known when all are measured, and by then their weights are gone, so that a study never fills a
disk. The same examples, settings and seed give the same weights: the best one is tuned again.

INPUTS: <results>/tables/measurements/{series}/{checkpoint}.parquet, <results>/examples/{dataset}/...
OUTPUTS: <results>/best/{series}/{checkpoint}/{dataset}/{tuning}/choice          its examples, settings and score
         <results>/best/{series}/{checkpoint}/{dataset}/{tuning}/model           its weights, or small state
         <results>/best/{series}/{checkpoint}/{dataset}/{tuning}/training.json   settings, the loss of every step
"""


localrules:
    choose_best,


rule choose_best:
    """Choose among the formats, learning rates and seeds of a method, on validation items."""
    input:
        measurements="<results>/tables/measurements/{series}/{checkpoint}.parquet",
        examples=from_plan(lookups.keep.examples_of_dataset),
    output:
        choice=directory("<results>/best/{series}/{checkpoint}/{dataset}/{tuning}/choice"),
    log:
        "<logs>/choose_best/{series}/{checkpoint}/{dataset}/{tuning}.log",
        usage="<logs>/choose_best/{series}/{checkpoint}/{dataset}/{tuning}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("choose_best"),
        settings=from_plan(lookups.keep.tuning_settings),
        choose_by=from_plan(lookups.keep.tuning_chosen_by),
    shell:
        r"""
        python "$PROGRAMS/choose_best.py" \
            --measurements {input.measurements:q} \
            --examples {input.examples:q} \
            --dataset {wildcards.dataset:q} \
            --method {wildcards.tuning:q} \
            --settings {params.settings:q} \
            --choose-by {params.choose_by} \
            --output {output.choice:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule keep_best:
    """Tune the chosen model again, to keep it."""
    input:
        checkpoint="<results>/checkpoints/{series}/{checkpoint}",
        choice="<results>/best/{series}/{checkpoint}/{dataset}/{tuning}/choice",
        replay=from_plan(lookups.train.replay_inputs),
    output:
        model=directory("<results>/best/{series}/{checkpoint}/{dataset}/{tuning}/model"),
        record="<results>/best/{series}/{checkpoint}/{dataset}/{tuning}/training.json",
    log:
        "<logs>/keep_best/{series}/{checkpoint}/{dataset}/{tuning}.log",
        usage="<logs>/keep_best/{series}/{checkpoint}/{dataset}/{tuning}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    threads: 1
    resources:
        gpu=from_plan(resources.training_gpus),
        mem_mb=from_plan(resources.training_memory),
        runtime=from_plan(resources.training_minutes),
    params:
        code=code_of("train_model", lookups.train.kind_modules),
        validation=from_plan(lookups.train.items_options),
        replay=from_plan(lookups.train.replay_option),
    shell:
        r"""
        python "$PROGRAMS/train_model.py" \
            --checkpoint {input.checkpoint:q} \
            --examples {input.choice:q}/train.parquet \
            --settings "$(cat {input.choice:q}/settings.json)" \
            {params.validation} {params.replay} \
            --threads {threads} \
            --gpus {resources.gpu} \
            --output {output.model:q} \
            --record {output.record:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
