"""The theory: linear networks in the place of language models, for studies with the key `theory`.

INPUTS: the plan
OUTPUTS: <results>/theory/seed{seed}/{table}.parquet    one seed: checkpoints under noise, features, fine-tuning
         <results>/tables/{table}.parquet               all seeds
"""


localrules:
    collect_simulations,


rule simulate_linear_network:
    """Simulate one seed of the two-layer linear network: pre-training, noise, fine-tuning."""
    output:
        noisy="<results>/theory/seed{seed}/noisy_networks.parquet",
        features="<results>/theory/seed{seed}/learned_features.parquet",
        tuned="<results>/theory/seed{seed}/tuned_networks.parquet",
    log:
        "<logs>/simulate_linear_network/seed{seed}.log",
        usage="<logs>/simulate_linear_network/seed{seed}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("simulate_linear_network"),
        settings=from_plan(lookups.theory.theory_settings),
        study=STUDY.settings.study,
    shell:
        r"""
        OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python "$PROGRAMS/simulate_linear_network.py" \
            --study {params.study:q} \
            --settings {params.settings:q} \
            --seed {wildcards.seed} \
            --noisy-networks {output.noisy:q} \
            --learned-features {output.features:q} \
            --tuned-networks {output.tuned:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule collect_simulations:
    """Collect one table of all seeds."""
    input:
        simulated=from_plan(lookups.theory.tables_of_seeds),
    output:
        table="<results>/tables/{table}.parquet",
    log:
        "<logs>/collect_simulations/{table}.log",
        usage="<logs>/collect_simulations/{table}.usage.json",
    wildcard_constraints:
        table=one_of(lookups.theory.TABLES),
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("collect_simulations"),
    shell:
        r"""
        python "$PROGRAMS/collect_simulations.py" \
            --table {wildcards.table} \
            --simulated {input.simulated:q} \
            --output {output.table:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
