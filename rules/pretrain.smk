"""Pre-training done here, in pieces: a chain of training states, and checkpoints taken from the state before them.

INPUTS: the nursery's world or text files
OUTPUTS: <results>/text/{series}                           running text from the hub
         <results>/corpus/{series}                         tokenizer, tokens, held-out documents; equal ones once
         <results>/pretraining/{series}/step{step}.safetensors   training states at 2^k and 3 x 2^k steps
         <results>/checkpoints/{series}/{checkpoint}       the layout of transformers, with checkpoint.json
"""


localrules:
    fetch_text,
    build_corpus,


rule fetch_text:
    """Fetch the running text of a series from the hub."""
    output:
        text=directory("<results>/text/{series}"),
    log:
        "<logs>/fetch_text/{series}.log",
        usage="<logs>/fetch_text/{series}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    resources:
        hub=1,
    params:
        code=code_of("fetch_text"),
        source=from_plan(lookups.pretrain.text_on_hub),
    shell:
        r"""
        HF_HUB_OFFLINE="$FETCH_OFFLINE" python "$PROGRAMS/fetch_text.py" \
            --source {params.source:q} \
            --output {output.text:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule build_corpus:
    """Make the tokenizer, the training tokens and the held-out documents of a series."""
    input:
        from_plan(lookups.pretrain.corpus_files),
    output:
        corpus=directory("<results>/corpus/{series}"),
    log:
        "<logs>/build_corpus/{series}.log",
        usage="<logs>/build_corpus/{series}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("build_corpus"),
        recipe=from_plan(lookups.pretrain.corpus_recipe),
    shell:
        r"""
        python "$PROGRAMS/build_corpus.py" \
            --recipe {params.recipe:q} \
            --output {output.corpus:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule pretrain_state:
    """Go on pre-training from the kept state before."""
    input:
        corpus=from_plan(lookups.pretrain.corpus_read),
        earlier=from_plan(lookups.pretrain.earlier_state),
    output:
        state="<results>/pretraining/{series}/step{step}.safetensors",
    log:
        "<logs>/pretrain_state/{series}/step{step}.log",
        usage="<logs>/pretrain_state/{series}/step{step}.usage.json",
    priority: 30
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("pretrain_state"),
        settings=from_plan(lookups.pretrain.pretraining_settings),
        resume=from_plan(lookups.pretrain.resume_option),
    shell:
        r"""
        python "$PROGRAMS/pretrain_state.py" \
            --settings {params.settings:q} \
            --corpus {input.corpus:q} \
            --until {wildcards.step} \
            {params.resume} {input.earlier:q} \
            --output {output.state:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule pretrain_checkpoint:
    """Go on from a kept state to one checkpoint, by the schedule or annealed, or run to it from the first step."""
    input:
        corpus=from_plan(lookups.pretrain.corpus_read),
        state=from_plan(lookups.pretrain.state_for),
    output:
        checkpoint=directory("<results>/checkpoints/{series}/{checkpoint}"),
    log:
        "<logs>/pretrain_checkpoint/{series}/{checkpoint}.log",
        usage="<logs>/pretrain_checkpoint/{series}/{checkpoint}.usage.json",
    wildcard_constraints:
        series=one_of(lookups.shared.pretrained_series(STUDY), but=lookups.shared.twins(STUDY)),
    priority: from_plan(lookups.pretrain.pretraining_priority)
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("pretrain_checkpoint"),
        settings=from_plan(lookups.pretrain.pretraining_settings),
        checkpoint=from_plan(lookups.pretrain.pretrained_checkpoint),
        resume=from_plan(lookups.pretrain.state_option),
    shell:
        r"""
        python "$PROGRAMS/pretrain_checkpoint.py" \
            --settings {params.settings:q} \
            --corpus {input.corpus:q} \
            {params.resume} {input.state:q} \
            --checkpoint {params.checkpoint:q} \
            --output {output.checkpoint:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
