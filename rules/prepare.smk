"""Datasets become items, items become examples; what was not made here is fetched and found good.

INPUTS: the sources that the tasks and the study name: files, hub datasets, the nursery's world; model folders
OUTPUTS: <results>/datasets/{dataset}                     rows as published, with provenance
         <results>/items/{dataset}                        train, validation, test and shots, disjoint
         <results>/examples/{dataset}/{format}            prompts and answers, independent of models
         <results>/texts/{text}.parquet                   passages of running text
         <results>/checkpoints/{series}/{checkpoint}      checkpoints that are not pre-trained here
         <results>/checks/inputs.json                     everything above is there and good
"""


# They need the network, or cost nothing.
localrules:
    make_dataset,
    fetch_dataset,
    fetch_checkpoint,
    check_inputs,


rule make_dataset:
    """Make the rows of one dataset of the nursery's world."""
    output:
        rows=directory("<results>/datasets/{dataset}"),
    log:
        "<logs>/make_dataset/{dataset}.log",
        usage="<logs>/make_dataset/{dataset}.usage.json",
    wildcard_constraints:
        dataset=one_of(lookups.world_datasets(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("make_dataset"),
        source=from_plan(lookups.dataset_source),
        licence=from_plan(lookups.dataset_licence),
    shell:
        r"""
        python scripts/make_dataset.py \
            --source {params.source:q} \
            --licence {params.licence:q} \
            --output {output.rows:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule fetch_dataset:
    """Fetch one dataset as published, from files or from the hub."""
    input:
        from_plan(lookups.dataset_files),
    output:
        rows=directory("<results>/datasets/{dataset}"),
    log:
        "<logs>/fetch_dataset/{dataset}.log",
        usage="<logs>/fetch_dataset/{dataset}.usage.json",
    wildcard_constraints:
        dataset=one_of(set(STUDY.tasks) - lookups.world_datasets(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("fetch_dataset"),
        source=from_plan(lookups.dataset_source),
        licence=from_plan(lookups.dataset_licence),
    shell:
        r"""
        python scripts/fetch_dataset.py \
            --source {params.source:q} \
            --licence {params.licence:q} \
            --output {output.rows:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule prepare_items:
    """Draw the items of one dataset, disjoint and the same for the whole study."""
    input:
        rows="<results>/datasets/{dataset}",
    output:
        drawn=directory("<results>/items/{dataset}"),
    log:
        "<logs>/prepare_items/{dataset}.log",
        usage="<logs>/prepare_items/{dataset}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("prepare_items"),
        task=from_plan(lookups.item_task),
        sizes=from_plan(lookups.item_sizes),
    shell:
        r"""
        python scripts/prepare_items.py \
            --rows {input.rows:q} \
            --task {params.task:q} \
            --sizes {params.sizes:q} \
            --output {output.drawn:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule render_examples:
    """Render the items of one dataset in one format."""
    input:
        drawn="<results>/items/{dataset}",
    output:
        examples=directory("<results>/examples/{dataset}/{format}"),
    log:
        "<logs>/render_examples/{dataset}/{format}.log",
        usage="<logs>/render_examples/{dataset}/{format}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("render_examples"),
        task=from_plan(lookups.render_task),
    shell:
        r"""
        python scripts/render_examples.py \
            --items {input.drawn:q} \
            --task {params.task:q} \
            --format {wildcards.format:q} \
            --output {output.examples:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule split_text:
    """Take passages of running text from a file."""
    input:
        text=from_plan(lookups.text_source),
    output:
        passages="<results>/texts/{text}.parquet",
    log:
        "<logs>/split_text/{text}.log",
        usage="<logs>/split_text/{text}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("split_text"),
        n=from_plan(lookups.text_items),
    shell:
        r"""
        python scripts/split_text.py \
            --text {input.text:q} \
            --items {params.n} \
            --output {output.passages:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule fetch_checkpoint:
    """Fetch one checkpoint that is not pre-trained here, and refuse it when it is not whole."""
    input:
        from_plan(lookups.checkpoint_files),
    output:
        checkpoint=directory("<results>/checkpoints/{series}/{checkpoint}"),
    log:
        "<logs>/fetch_checkpoint/{series}/{checkpoint}.log",
        usage="<logs>/fetch_checkpoint/{series}/{checkpoint}.usage.json",
    wildcard_constraints:
        series=one_of(set(STUDY.checkpoints) - lookups.pretrained_series(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("fetch_checkpoint"),
        source=from_plan(lookups.fetched_checkpoint),
    shell:
        r"""
        python scripts/fetch_checkpoint.py \
            --source {params.source:q} \
            --output {output.checkpoint:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule check_inputs:
    """Wait until everything that an expensive job may need is there and good."""
    input:
        from_plan(lookups.ready_inputs),
    output:
        checks="<results>/checks/inputs.json",
    log:
        "<logs>/check_inputs.log",
    conda:
        "../envs/ripeness.yaml"
    shell:
        r"""
        echo '{{"checked": true}}' >{output.checks:q} 2>{log:q}
        """
