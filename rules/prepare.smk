"""Datasets become items, items become examples, by local rules: they need the network, or cost nothing.

INPUTS: the sources that the tasks and the study name: files, hub datasets, the nursery's world
OUTPUTS: <results>/datasets/{dataset}                     rows as published, with provenance
         <results>/items/{dataset}                        train, validation, test and shots, disjoint
         <results>/examples/{dataset}/{format}            prompts and answers, independent of models
"""


localrules:
    make_dataset,
    fetch_dataset,
    prepare_items,
    render_examples,


rule make_dataset:
    """Make the rows of one dataset of the nursery's world."""
    output:
        rows=directory("<results>/datasets/{dataset}"),
    log:
        "<logs>/make_dataset/{dataset}.log",
        usage="<logs>/make_dataset/{dataset}.usage.json",
    wildcard_constraints:
        dataset=one_of(lookups.prepare.world_datasets(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("make_dataset"),
        source=from_plan(lookups.prepare.dataset_source),
        licence=from_plan(lookups.prepare.dataset_licence),
    shell:
        r"""
        python "$PROGRAMS/make_dataset.py" \
            --source {params.source:q} \
            --licence {params.licence:q} \
            --output {output.rows:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule fetch_dataset:
    """Fetch one dataset as published, from files or from the hub."""
    input:
        from_plan(lookups.prepare.dataset_files),
    output:
        rows=directory("<results>/datasets/{dataset}"),
    log:
        "<logs>/fetch_dataset/{dataset}.log",
        usage="<logs>/fetch_dataset/{dataset}.usage.json",
    wildcard_constraints:
        dataset=one_of(set(STUDY.tasks) - lookups.prepare.world_datasets(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    resources:
        hub=from_plan(lookups.prepare.hub_requests),
    params:
        code=code_of("fetch_dataset"),
        source=from_plan(lookups.prepare.dataset_source),
        licence=from_plan(lookups.prepare.dataset_licence),
        offline=from_plan(lookups.prepare.dataset_offline),
    shell:
        r"""
        HF_HUB_OFFLINE="{params.offline}" python "$PROGRAMS/fetch_dataset.py" \
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
        task=from_plan(lookups.prepare.item_task),
        sizes=from_plan(lookups.prepare.item_sizes),
    shell:
        r"""
        python "$PROGRAMS/prepare_items.py" \
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
        task=from_plan(lookups.prepare.render_task),
    shell:
        r"""
        python "$PROGRAMS/render_examples.py" \
            --items {input.drawn:q} \
            --task {params.task:q} \
            --format {wildcards.format:q} \
            --output {output.examples:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
