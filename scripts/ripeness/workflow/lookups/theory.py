"""Give inputs and parameters to the rules of rules/theory.smk."""

from ripeness.study.grid import Study
from ripeness.workflow.lookups.shared import results, to_json
from ripeness.workflow.wildcards import Wildcards

TABLES = ("noisy_networks", "learned_features", "tuned_networks")


def theory_seeds(study: Study) -> list[int]:
    """Return the seeds of the simulation; none in another study."""
    return study.settings.theory_seeds


def theory_settings(study: Study) -> str:
    """Return the settings of the simulation, without its seeds."""
    return to_json({key: value for key, value in study.settings.theory.items() if key != "seeds"})


def tables_of_seeds(study: Study, wildcards: Wildcards) -> list[str]:
    """Return one table of every seed."""
    return [f"{results(study)}/theory/seed{seed}/{wildcards.table}.parquet" for seed in theory_seeds(study)]


def theory_tables(study: Study) -> list[str]:
    """Return the collected tables; none in another study."""
    return [f"{results(study)}/tables/{name}.parquet" for name in TABLES] if theory_seeds(study) else []
