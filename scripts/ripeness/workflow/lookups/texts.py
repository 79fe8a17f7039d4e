"""Give inputs and parameters to the rules of rules/texts.smk."""

from ripeness.study.grid import Study
from ripeness.study.lock_file import with_commit
from ripeness.workflow.lookups.shared import to_json
from ripeness.workflow.wildcards import Wildcards


def text_files(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the file of a text probe, as an input."""
    path = study.settings.texts[wildcards.text].path
    return [] if path is None else [path]


def texts_on_hub(study: Study) -> set[str]:
    """Return the text probes whose passages come from the hub."""
    return {name for name, text in study.settings.texts.items() if text.hub is not None}


def text_on_hub(study: Study, wildcards: Wildcards) -> str:
    """Return the dataset of the hub that the passages of a text probe are taken from."""
    source = study.settings.texts[wildcards.text].hub or {}
    return to_json(with_commit(study.lock, source, source["id"]))


def text_items(study: Study, wildcards: Wildcards) -> int:
    """Return how many passages of a text are read."""
    return study.settings.texts[wildcards.text].items
