"""Collecting: the tables of the study, first of each checkpoint, then of all. Published numbers enter here.

INPUTS: <results>/cells/<cell>/{items,measurements,cell}.parquet, or tables of published numbers (CSV)
OUTPUTS: <results>/tables/items/{series}/{checkpoint}.parquet    every item of every cell
         <results>/tables/measurements.parquet                   every number, with identity in columns
         <results>/tables/cells.parquet                          every cell and what became of it
"""


localrules:
    collect_checkpoint,
    read_published,
    collect,


rule collect_checkpoint:
    """Collect the cells of one checkpoint."""
    input:
        scores=from_plan(lookups.collect.scores_at),
    output:
        scored="<results>/tables/items/{series}/{checkpoint}.parquet",
        measurements="<results>/tables/measurements/{series}/{checkpoint}.parquet",
        status="<results>/tables/cells/{series}/{checkpoint}.parquet",
    log:
        "<logs>/collect_checkpoint/{series}/{checkpoint}.log",
        usage="<logs>/collect_checkpoint/{series}/{checkpoint}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("collect_checkpoint"),
        choose_by=from_plan(lookups.collect.chosen_by),
    shell:
        r"""
        python "$PROGRAMS/collect_checkpoint.py" \
            --scores {input.scores:q} \
            --choose-by {params.choose_by:q} \
            --items {output.scored:q} \
            --measurements {output.measurements:q} \
            --status {output.status:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule read_published:
    """Read tables of published numbers as measurements."""
    input:
        tables=from_plan(lookups.collect.published_tables),
    output:
        measurements="<results>/tables/measurements/published.parquet",
        status="<results>/tables/cells/published.parquet",
    log:
        "<logs>/read_published.log",
        usage="<logs>/read_published.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("read_published"),
        settings=from_plan(lookups.collect.published_settings),
        study=STUDY.settings.study,
    shell:
        r"""
        python "$PROGRAMS/read_published.py" \
            --study {params.study:q} \
            --settings {params.settings:q} \
            --measurements {output.measurements:q} \
            --status {output.status:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule collect:
    """Collect the tables of all checkpoints."""
    input:
        measurements=from_plan(lookups.collect.checkpoint_tables),
        status=from_plan(lookups.collect.status_tables),
    output:
        measurements="<results>/tables/measurements.parquet",
        cells="<results>/tables/cells.parquet",
    log:
        "<logs>/collect.log",
        usage="<logs>/collect.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("collect"),
    shell:
        r"""
        python "$PROGRAMS/collect.py" \
            --measurements {input.measurements:q} \
            --status {input.status:q} \
            --output-measurements {output.measurements:q} \
            --output-cells {output.cells:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
