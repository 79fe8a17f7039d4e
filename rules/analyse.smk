"""Answers: claims tested, figures drawn.

INPUTS: <results>/tables/{measurements,cells}.parquet, <results>/tables/items/
OUTPUTS: <results>/findings.json                 claims with verdict, effect, interval and caveats
         <results>/figures/{figure}.{json,svg,csv}   specification, picture and the data behind it
"""

FIGURES = {
    "availability": "The study",
    "learned-in-pretraining": "What does pre-training teach?",
    "saturation": "What does pre-training teach?",
    "gain": "What does tuning add?",
    "format-spread": "Does the format matter?",
    "transfer": "What does tuning change elsewhere?",
    "pretraining-text": "What does tuning change elsewhere?",
}


localrules:
    test_findings,
    plot_figure,


rule test_findings:
    """Test the claims on the measurements."""
    input:
        measurements="<results>/tables/measurements.parquet",
        scored=from_plan(lookups.item_tables),
    output:
        findings="<results>/findings.json",
    log:
        "<logs>/test_findings.log",
        usage="<logs>/test_findings.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("test_findings"),
        settings=from_plan(lookups.finding_settings),
    shell:
        r"""
        python scripts/test_findings.py \
            --measurements {input.measurements:q} \
            --items {input.scored:q} \
            --settings {params.settings:q} \
            --output {output.findings:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule plot_figure:
    """Draw one figure: specification, picture, and the data behind it."""
    input:
        measurements="<results>/tables/measurements.parquet",
        cells="<results>/tables/cells.parquet",
        scored=from_plan(lookups.item_tables),
        findings="<results>/findings.json",
    output:
        spec="<results>/figures/{figure}.json",
        svg=report(
            "<results>/figures/{figure}.svg",
            caption="../reports/figure.rst",
            category=lambda wildcards: FIGURES[wildcards.figure],
            labels={"figure": "{figure}"},
        ),
        csv="<results>/figures/{figure}.csv",
    log:
        "<logs>/plot_figure/{figure}.log",
        usage="<logs>/plot_figure/{figure}.usage.json",
    wildcard_constraints:
        figure=one_of(FIGURES),
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("plot_figure"),
        caption=from_plan(lookups.figure_caption),
        settings=from_plan(lookups.finding_settings),
    shell:
        r"""
        python scripts/plot_figure.py \
            --figure {wildcards.figure} \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --items {input.scored:q} \
            --findings {input.findings:q} \
            --settings {params.settings:q} \
            --output-spec {output.spec:q} \
            --output-svg {output.svg:q} \
            --output-csv {output.csv:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
