"""Everything on one page.

INPUTS: <results>/findings.json, <results>/figures/, <results>/tables/, <results>/examples/, the sources of everything
OUTPUTS: <results>/prompts.json       one item of every dataset and format as the model reads it
         <results>/report.html        one file, opens without network
         <results>/verdicts.html      the answer and the verdicts alone, the first section of Snakemake's own report
"""

PAGE = sorted(path.name for path in (rule_values.ROOT / "reports/page").iterdir())  # template, style and scripts


localrules:
    show_prompts,
    write_report,


rule show_prompts:
    """Show one item of every dataset and format as the model reads it."""
    input:
        checkpoint=from_plan(lookups.report.shown_checkpoint),
        examples=from_plan(lookups.report.shown_files),
    output:
        prompts="<results>/prompts.json",
    log:
        "<logs>/show_prompts.log",
        usage="<logs>/show_prompts.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("show_prompts"),
        probes=from_plan(lookups.report.shown_probes),
        seed=from_plan(lookups.report.shown_seed),
    shell:
        r"""
        python "$PROGRAMS/show_prompts.py" \
            --checkpoint {input.checkpoint:q} \
            --probes {params.probes:q} \
            --seed {params.seed} \
            --output {output.prompts:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule write_report:
    """Put everything on one page that opens without network."""
    input:
        page=[rule_values.in_project(f"reports/page/{part}") for part in PAGE],
        captions=[rule_values.in_project(f"reports/{figure}.rst") for figure in FIGURES],
        findings="<results>/findings.json",
        measurements=from_plan(lookups.collect.measurements_table),
        cells=from_plan(lookups.collect.cells_table),
        scored=from_plan(lookups.collect.item_tables),
        examples=from_plan(lookups.audit.audited_examples),
        sensitivity=from_plan(lookups.perturb.sensitivity_table),
        simulated=from_plan(lookups.theory.theory_tables),
        figures=collect("<results>/figures/{figure}.{kind}", figure=FIGURES, kind=["json", "svg", "csv"]),
        prompts=from_plan(lookups.report.prompts_file),
        pictures=from_plan(lookups.report.pictures_file),
        provenance="<results>/provenance.json",
        audit=from_plan(lookups.audit.audit_table),
    output:
        report=report(
            "<results>/report.html",
            caption="../reports/report.rst",
            category="The study",
            labels={"figure": "the whole report"},
        ),
        verdicts=report(
            "<results>/verdicts.html",
            caption="../reports/verdicts.rst",
            category="Answer and verdicts",
            labels={"figure": "which checkpoint to tune, and what was decided"},
        ),
    log:
        "<logs>/write_report.log",
        usage="<logs>/write_report.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("write_report"),
        folder=study_folder,
        calibration=from_plan(forecast.calibration),
        choose_by=from_plan(lookups.collect.chosen_by),
        settings=from_plan(lookups.analyse.finding_settings),
    shell:
        r"""
        python "$PROGRAMS/write_report.py" \
            --findings {input.findings:q} \
            --measurements {input.measurements:q} \
            --cells {input.cells:q} \
            --items {input.scored:q} \
            --examples {input.examples:q} \
            --settings {params.settings:q} \
            --sensitivity {input.sensitivity:q} \
            --simulated {input.simulated:q} \
            --figures {params.folder:q}/figures \
            --prompts {input.prompts:q} \
            --pictures {input.pictures:q} \
            --provenance {input.provenance:q} \
            --audit {input.audit:q} \
            --reported {params.folder:q}/reported.json \
            --usage-logs {params.folder:q}/logs \
            --calibration {params.calibration:q} \
            --choose-by {params.choose_by:q} \
            --output {output.report:q} \
            --output-verdicts {output.verdicts:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
