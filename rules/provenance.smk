"""What a study was made from.

INPUTS: <results>/datasets/, <results>/checkpoints/, <results>/gate/, <results>/lm_eval/, published tables
OUTPUTS: <results>/provenance.json
"""


localrules:
    record_provenance,


rule record_provenance:
    """Record what the study was made from."""
    input:
        datasets=from_plan(lookups.provenance.dataset_folders),
        checkpoints=from_plan(lookups.provenance.checkpoint_folders),
        harness=from_plan(lookups.provenance.harness_folders),
        gates=collect("<results>/gate/{series}.json", series=STUDY.checkpoints),
        published=from_plan(lookups.collect.published_tables),
    output:
        provenance="<results>/provenance.json",
    log:
        "<logs>/record_provenance.log",
        usage="<logs>/record_provenance.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("record_provenance"),
        config=from_plan(lookups.provenance.config_json),
        accepted=from_plan(lookups.provenance.accepted_code),
    shell:
        r"""
        python "$PROGRAMS/record_provenance.py" \
            --datasets {input.datasets:q} \
            --checkpoints {input.checkpoints:q} \
            --harness {input.harness:q} \
            --gates {input.gates:q} \
            --published {input.published:q} \
            --config {params.config:q} \
            --accepted {params.accepted:q} \
            --output {output.provenance:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
