"""Give inputs and parameters to the rules of rules/provenance.smk."""

from pathlib import Path

from ripeness.study.grid import HARNESS_FORMAT, Study, harness_tasks
from ripeness.workflow.lookups.shared import results, runs_models, to_json
from ripeness.workflow.result_keys import accepted_results


def config_json(study: Study) -> str:
    """Return the study as it was understood, with defaults; `scratch` is the site's."""
    is_whole = runs_models(study)
    others = ["study", "title", study.settings.kind, "findings"]
    others += ["audit"] if study.settings.acknowledged else []
    keys = study.config.keys() - {"scratch"} if is_whole else others
    return to_json({key: study.config[key] for key in keys})


def dataset_folders(study: Study) -> list[str]:
    """Return the published rows of all datasets."""
    return [f"{results(study)}/datasets/{name}" for name in study.tasks]


def checkpoint_folders(study: Study) -> list[str]:
    """Return all checkpoints of the study."""
    return [
        f"{results(study)}/checkpoints/{series}/{name}" for series, names in study.checkpoints.items() for name in names
    ]


def harness_folders(study: Study) -> list[str]:
    """Return the fetched tasks."""
    return [f"{results(study)}/{HARNESS_FORMAT}/{task}" for task in harness_tasks(study)]


def accepted_code(study: Study) -> str:
    """List which results were accepted though other code made them: rule, code before and since, number of jobs."""
    return to_json(accepted_results(Path(results(study))))
