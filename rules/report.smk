"""Answers: claims tested, figures drawn, everything on one page.

INPUTS: <results>/tables/{measurements,cells}.parquet, <results>/tables/items/
OUTPUTS: <results>/findings.json                 claims with verdict, effect, interval and caveats
         <results>/figures/{figure}.{json,svg,csv}   specification, picture and the data behind it
         <results>/prompts.json, provenance.json
         <results>/report.html                   one file, opens without network
"""

FIGURES = {
    "availability": "The study",
    "learned-in-pretraining": "What does pre-training teach?",
    "gain": "What does tuning add?",
    "format-spread": "Does the format matter?",
    "transfer": "What does tuning change elsewhere?",
    "pretraining-text": "What does tuning change elsewhere?",
}


localrules:
    test_findings,
    plot_figure,
    show_prompts,
    record_provenance,
    write_report,


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
        folder=study_folder,
        settings=from_plan(lookups.finding_settings),
    shell:
        r"""
        python scripts/test_findings.py \
            --measurements {input.measurements:q} \
            --items {params.folder:q}/tables/items \
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
            category=category_of_figure,
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
        folder=study_folder,
    shell:
        r"""
        python scripts/plot_figure.py \
            --figure {wildcards.figure} \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --items {params.folder:q}/tables/items \
            --findings {input.findings:q} \
            --output-spec {output.spec:q} \
            --output-svg {output.svg:q} \
            --output-csv {output.csv:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule show_prompts:
    """Show one item of every dataset and format as the model reads it."""
    input:
        checkpoint=from_plan(lookups.shown_checkpoint),
        examples=from_plan(lookups.shown_files),
    output:
        prompts="<results>/prompts.json",
    log:
        "<logs>/show_prompts.log",
        usage="<logs>/show_prompts.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("show_prompts"),
        probes=from_plan(lookups.shown_probes),
        seed=STUDY.config["seeds"][0],
    shell:
        r"""
        python scripts/show_prompts.py \
            --checkpoint {input.checkpoint:q} \
            --probes {params.probes:q} \
            --seed {params.seed} \
            --output {output.prompts:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule record_provenance:
    """Record what the study was made from."""
    input:
        datasets=from_plan(lookups.dataset_folders),
        checkpoints=from_plan(lookups.checkpoint_folders),
    output:
        provenance="<results>/provenance.json",
    log:
        "<logs>/record_provenance.log",
        usage="<logs>/record_provenance.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("record_provenance"),
        config=from_plan(lookups.config_json),
    shell:
        r"""
        python scripts/record_provenance.py \
            --datasets {input.datasets:q} \
            --checkpoints {input.checkpoints:q} \
            --config {params.config:q} \
            --output {output.provenance:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule write_report:
    """Put everything on one page that opens without network."""
    input:
        template="reports/report.html.j2",
        findings="<results>/findings.json",
        measurements="<results>/tables/measurements.parquet",
        cells="<results>/tables/cells.parquet",
        figures=collect("<results>/figures/{figure}.{kind}", figure=FIGURES, kind=["json", "svg", "csv"]),
        prompts="<results>/prompts.json",
        provenance="<results>/provenance.json",
    output:
        report=report(
            "<results>/report.html",
            caption="../reports/report.rst",
            category="The study",
            labels={"figure": "the whole report"},
        ),
    log:
        "<logs>/write_report.log",
        usage="<logs>/write_report.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("write_report"),
        title=STUDY.config["title"],
        folder=study_folder,
    shell:
        r"""
        python scripts/write_report.py \
            --study-title {params.title:q} \
            --findings {input.findings:q} \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --figures {params.folder:q}/figures \
            --prompts {input.prompts:q} \
            --provenance {input.provenance:q} \
            --usage-logs {params.folder:q}/logs \
            --output {output.report:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
