"""Answers: claims tested, figures drawn.

INPUTS: <results>/tables/{measurements,cells}.parquet, <results>/tables/items/; of the theory, its own tables
OUTPUTS: <results>/findings.json                 claims with verdict, effect, interval and caveats
         <results>/figures/{figure}.{json,svg,csv}   specification, picture and the data behind it
"""

FIGURES = lookups.analyse.figures_of(STUDY)  # each with its section of the report


localrules:
    judge_claims,
    plot_figure,


rule judge_claims:
    """Test the claims on the measurements."""
    input:
        measurements=from_plan(lookups.collect.measurements_table),
        cells=from_plan(lookups.collect.cells_table),
        scored=from_plan(lookups.collect.item_tables),
        sensitivity=from_plan(lookups.perturb.sensitivity_table),
        simulated=from_plan(lookups.theory.theory_tables),
    output:
        findings="<results>/findings.json",
    log:
        "<logs>/judge_claims.log",
        usage="<logs>/judge_claims.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("judge_claims"),
        settings=from_plan(lookups.analyse.finding_settings),
        claims=from_plan(lookups.analyse.claims_of_its_own),
        written=from_plan(lookups.analyse.claims_file),
        looks=from_plan(lookups.analyse.looks_file),
    shell:
        r"""
        python "$PROGRAMS/judge_claims.py" \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --items {input.scored:q} \
            --sensitivity {input.sensitivity:q} \
            --simulated {input.simulated:q} \
            --settings {params.settings:q} \
            --claims {params.claims:q} \
            --written {params.written:q} \
            --looks {params.looks:q} \
            --output {output.findings:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule plot_figure:
    """Draw one figure: specification, picture, and the data behind it."""
    input:
        measurements=from_plan(lookups.collect.measurements_table),
        cells=from_plan(lookups.collect.cells_table),
        scored=from_plan(lookups.collect.item_tables),
        sensitivity=from_plan(lookups.perturb.sensitivity_table),
        simulated=from_plan(lookups.theory.theory_tables),
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
        caption=from_plan(lookups.analyse.figure_caption),
        settings=from_plan(lookups.analyse.finding_settings),
    shell:
        r"""
        python "$PROGRAMS/plot_figure.py" \
            --figure {wildcards.figure} \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --items {input.scored:q} \
            --sensitivity {input.sensitivity:q} \
            --simulated {input.simulated:q} \
            --findings {input.findings:q} \
            --settings {params.settings:q} \
            --output-spec {output.spec:q} \
            --output-svg {output.svg:q} \
            --output-csv {output.csv:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
