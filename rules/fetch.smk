"""Checkpoints and tasks of lm-eval that are not made here.

INPUTS: model folders on disk or on the hub, <results>/items/
OUTPUTS: <results>/checkpoints/{series}/{checkpoint}    the layout of transformers, with checkpoint.json
         <results>/gate/{series}.json                   losses of a series' checkpoints on one text
         <results>/fetched_encoder                      a frozen encoder of pictures
         <results>/lm_eval/{task}                       a task of lm-evaluation-harness: task.json, data
"""


# They need the network, or cost nothing.
localrules:
    fetch_checkpoint,
    fetch_encoder,
    check_series,
    fetch_harness_task,


rule fetch_checkpoint:
    """Fetch one checkpoint that is not pre-trained here, and refuse it when it is not whole or predicts badly."""
    input:
        from_plan(lookups.fetch.checkpoint_files),
    output:
        checkpoint=directory("<results>/checkpoints/{series}/{checkpoint}"),
    log:
        "<logs>/fetch_checkpoint/{series}/{checkpoint}.log",
        usage="<logs>/fetch_checkpoint/{series}/{checkpoint}.usage.json",
    wildcard_constraints:
        series=one_of(set(STUDY.checkpoints) - lookups.shared.pretrained_series(STUDY), but=lookups.shared.twins(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    resources:
        hub=from_plan(lookups.fetch.hub_requests),
    params:
        code=code_of("fetch_checkpoint"),
        source=from_plan(lookups.fetch.fetched_checkpoint),
        gate_text=from_plan(lookups.fetch.gate_option),
    shell:
        r"""
        HF_HUB_OFFLINE="$FETCH_OFFLINE" python "$PROGRAMS/fetch_checkpoint.py" \
            --source {params.source:q} \
            {params.gate_text} \
            --output {output.checkpoint:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule check_series:
    """Compare the losses of a series' checkpoints on one text, and refuse one that has lost what others had learned."""
    input:
        checkpoints=from_plan(lookups.fetch.folders_of_series),
    output:
        gate="<results>/gate/{series}.json",
    log:
        "<logs>/check_series/{series}.log",
        usage="<logs>/check_series/{series}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("check_series"),
        refuse=from_plan(lookups.fetch.refuse_option),
        compare=from_plan(lookups.fetch.compare_option),
    shell:
        r"""
        python "$PROGRAMS/check_series.py" \
            --checkpoints {input.checkpoints:q} \
            {params.refuse} {params.compare} \
            --output {output.gate:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule fetch_harness_task:
    """Fetch one task of lm-evaluation-harness with its data."""
    input:
        from_plan(lookups.fetch.harness_files),
    output:
        task=directory("<results>/lm_eval/{task}"),
    log:
        "<logs>/fetch_harness_task/{task}.log",
        usage="<logs>/fetch_harness_task/{task}.usage.json",
    wildcard_constraints:
        task=one_of(harness_tasks(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    resources:
        hub=1,
    params:
        code=code_of("fetch_harness_task"),
        request=from_plan(lookups.fetch.harness_request),
    shell:
        r"""
        HF_HUB_OFFLINE="$FETCH_OFFLINE" python "$PROGRAMS/fetch_harness_task.py" \
            --request {params.request:q} \
            --output {output.task:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule fetch_encoder:
    """Fetch the encoder from the hub, and refuse a repository that holds none."""
    output:
        encoder=directory("<results>/fetched_encoder"),
    log:
        "<logs>/fetch_encoder.log",
        usage="<logs>/fetch_encoder.usage.json",
    conda:
        "../envs/ripeness.yaml"
    resources:
        hub=1,
    params:
        code=code_of("fetch_encoder"),
        source=from_plan(lookups.pictures.fetched_encoder),
        layer=from_plan(lookups.pictures.encoder_layer),
    shell:
        r"""
        HF_HUB_OFFLINE="$FETCH_OFFLINE" python "$PROGRAMS/fetch_encoder.py" \
            --source {params.source:q} \
            --layer {params.layer} \
            --output {output.encoder:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
