"""The audit: what is wrong with a study's grid, items, prompts and results, found by the study itself.

INPUTS: the plan, <results>/{datasets,items,examples}, tokenizers, <results>/tables
OUTPUTS: <results>/audit/weights.json      what the hub says of weights, before they are fetched
         <results>/audit/inputs.parquet    remarks before anything expensive; a fatal one ends the study
         <results>/tables/audit.parquet    these, and the remarks on results
"""


localrules:
    list_weights,
    audit_inputs,
    audit_results,


onerror:
    run_conditions.end_refused(LOGS)


onsuccess:
    terminal.say_warnings(Path(study_folder(None)))


rule list_weights:
    """Ask the hub for digests of the weights of its checkpoints, and refuse equal ones before they are fetched."""
    output:
        weights="<results>/audit/weights.json",
    log:
        "<logs>/list_weights.log",
        usage="<logs>/list_weights.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("list_weights"),
        plan=from_plan(lookups.audit.listed_plan),
        sources=from_plan(lookups.audit.listed_sources),
        acknowledge=from_plan(lookups.audit.acknowledged),
    shell:
        r"""
        HF_HUB_OFFLINE="$FETCH_OFFLINE" python "$PROGRAMS/list_weights.py" \
            --plan {params.plan:q} \
            --sources {params.sources:q} \
            --acknowledge {params.acknowledge:q} \
            --output {output.weights:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule audit_inputs:
    """Audit the grid, the items and the prompts before anything expensive."""
    input:
        drawn=from_plan(lookups.audit.audited_items),
        examples=from_plan(lookups.audit.audited_examples),
        checkpoints=from_plan(lookups.audit.audited_checkpoints),
    output:
        remarks="<results>/audit/inputs.parquet",
    log:
        "<logs>/audit_inputs.log",
        usage="<logs>/audit_inputs.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("audit_inputs"),
        plan=from_plan(lookups.audit.audit_plan),
        folder=study_folder,
        acknowledge=from_plan(lookups.audit.acknowledged),
    shell:
        r"""
        python "$PROGRAMS/audit_inputs.py" \
            --plan {params.plan:q} \
            --study-folder {params.folder:q} \
            --acknowledge {params.acknowledge:q} \
            --output {output.remarks:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule audit_results:
    """Audit the results, and put all remarks into one table."""
    input:
        inputs=from_plan(lookups.audit.audited_inputs),
        measurements="<results>/tables/measurements.parquet",
        cells="<results>/tables/cells.parquet",
        scored=from_plan(lookups.collect.item_tables),
    output:
        remarks="<results>/tables/audit.parquet",
    log:
        "<logs>/audit_results.log",
        usage="<logs>/audit_results.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("audit_results"),
        acknowledge=from_plan(lookups.audit.acknowledged),
    shell:
        r"""
        python "$PROGRAMS/audit_results.py" \
            --inputs {input.inputs:q} \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --items {input.scored:q} \
            --acknowledge {params.acknowledge:q} \
            --output {output.remarks:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
