"""Annealed twins: a stable checkpoint, from wherever it is, trained on while its learning rate falls to zero.

INPUTS: <results>/checkpoints/{series}/{stable checkpoint}, a text file or <results>/corpus/{series}
OUTPUTS: <results>/checkpoints/{series}/{checkpoint}       the layout of transformers, with checkpoint.json
"""


rule anneal_checkpoint:
    """Anneal one stable checkpoint."""
    input:
        from_plan(lookups.anneal.twin_gate_files),
        parent=from_plan(lookups.anneal.twin_parent),
        text=from_plan(lookups.anneal.twin_text),
    output:
        checkpoint=directory("<results>/checkpoints/{series}/{checkpoint}"),
    log:
        "<logs>/anneal_checkpoint/{series}/{checkpoint}.log",
        usage="<logs>/anneal_checkpoint/{series}/{checkpoint}.usage.json",
    wildcard_constraints:
        series=one_of(lookups.shared.twins(STUDY), only=lookups.shared.twins(STUDY)),
    priority: 20
    conda:
        "../envs/ripeness.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=from_plan(resources.annealing_memory),
        runtime=from_plan(resources.annealing_minutes),
    params:
        code=code_of("anneal_checkpoint", lookups.train.modules_of_full),
        settings=from_plan(lookups.anneal.twin_settings),
        identity=from_plan(lookups.anneal.twin_identity),
        gate_text=from_plan(lookups.anneal.twin_gate),
    shell:
        r"""
        python "$PROGRAMS/anneal_checkpoint.py" \
            --checkpoint {input.parent:q} \
            --text {input.text:q} \
            --settings {params.settings:q} \
            --identity {params.identity:q} \
            {params.gate_text} \
            --threads {threads} \
            --output {output.checkpoint:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
