"""Rule inputs and parameters for rules/keep.smk."""

from itertools import product
from typing import Any

from ripeness.study.grid import Study, tunes_on
from ripeness.study.trainings import trainings
from ripeness.workflow.lookups.shared import results, to_json
from ripeness.workflow.lookups.train import of_training, training_settings


def tuning_settings(study: Study, wildcards: Any) -> str:
    """Return the settings of a method without its learning rate and seed, which are chosen."""
    return to_json(of_training(training_settings(study, wildcards), "learning_rate"))


def tuning_chosen_by(study: Study, wildcards: Any) -> str:
    """Say what chooses among the trainings of one method."""
    return study.settings.methods[wildcards.tuning]["choose_by"]


def examples_of_dataset(study: Study, wildcards: Any) -> list[str]:
    """Return the examples of a dataset in every format that models are tuned in."""
    return [f"{results(study)}/examples/{wildcards.dataset}/{format_}" for format_ in study.settings.formats]


def kept_choices(study: Study) -> list[tuple[str, str, str, str]]:
    """Return (series, checkpoint, dataset, method) of all among whose trainings the best is chosen."""
    pairs = list(product(study.settings.datasets, study.settings.methods))
    return [
        (series, checkpoint, dataset, method)
        for series, checkpoints in study.checkpoints.items()
        for checkpoint in checkpoints
        for dataset, method in pairs
        if tunes_on(study, series, method, dataset)
    ]


def kept_models(study: Study, wildcards: Any) -> list[str]:
    """Return the models that are kept: of every cell, or the best of every checkpoint, dataset and method."""
    if study.settings.keep_models == "all":
        return [f"{results(study)}/cells/{cell.path}/model" for cell in trainings(study)]
    if study.settings.keep_models != "best":
        return []
    return [f"{results(study)}/best/{'/'.join(choice)}/model" for choice in kept_choices(study)]
