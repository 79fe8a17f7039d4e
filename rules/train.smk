"""Tuning: one checkpoint, one dataset, one format, one method, one seed; or one text for all datasets and formats.

INPUTS: <results>/checkpoints/{series}/{checkpoint}, <results>/examples/{dataset}/{format} or a text file, and where a method or the
        study wants it: the model of another cell, pre-training text to read again, text on which forgetting is measured
OUTPUTS: <results>/cells/<cell>/model           tuned weights, or small state; deleted once measured unless keep_models is `all`
         <results>/cells/<cell>/training.json   settings, the loss of every step, done or diverged
"""


rule train_model:
    """Tune one checkpoint: one cell of the plan."""
    input:
        checkpoint="<results>/checkpoints/{series}/{checkpoint}",
        start=from_plan(lookups.train.start_model),
        start_record=from_plan(lookups.train.start_record),
        fused=from_plan(lookups.train.fused_models),
        states=from_plan(lookups.train.read_states),
        reward=from_plan(lookups.train.reward_model),
        reward_record=from_plan(lookups.train.reward_record),
        examples=from_plan(lookups.train.examples_read),
        learned=from_plan(lookups.train.text_learned),
        replay=from_plan(lookups.train.replay_inputs),
        text=from_plan(lookups.train.curvature_inputs),
        pictures=from_plan(lookups.pictures.pictures_learned),
    output:
        model=kept(directory("<results>/cells/<cell>/model")),
        record="<results>/cells/<cell>/training.json",
    log:
        "<logs>/train_model/<cell>.log",
        usage="<logs>/train_model/<cell>.usage.json",
    conda:
        "../envs/ripeness.yaml"
    threads: 1
    resources:
        gpu=from_plan(resources.training_gpus),
        mem_mb=from_plan(resources.training_memory),
        runtime=from_plan(resources.training_minutes),
    params:
        code=code_of("train_model", lookups.train.kind_modules),
        settings=from_plan(lookups.train.method_settings),
        validation=from_plan(lookups.train.items_options),
        replay=from_plan(lookups.train.replay_option),
        curvature=from_plan(lookups.train.curvature_option),
    shell:
        r"""
        python "$PROGRAMS/train_model.py" \
            --checkpoint {input.checkpoint:q} \
            --start {input.start:q} \
            --start-record {input.start_record:q} \
            --of {input.fused:q} \
            --examples {input.examples:q} \
            --text {input.learned:q} \
            --pictures {input.pictures:q} \
            --settings {params.settings:q} \
            --reward-model {input.reward:q} \
            --reward-record {input.reward_record:q} \
            {params.validation} {params.replay} {params.curvature} \
            --scratch "$TUNED_SCRATCH" \
            --threads {threads} \
            --gpus {resources.gpu} \
            --output {output.model:q} \
            --record {output.record:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
