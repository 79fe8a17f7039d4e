"""What can be asked for by name: everything, what is fetched and checked before it is expensive, all measurements."""


rule all:
    default_target: True
    input:
        "<results>/report.html",
        from_plan(lookups.kept_models),


rule prepare:
    input:
        from_plan(series_lookups.ready_inputs),


rule measure:
    input:
        from_plan(audit_lookups.audited_inputs),
        from_plan(lookups.checkpoint_tables),
        from_plan(sensitivity_lookups.sensitivity_tables),
