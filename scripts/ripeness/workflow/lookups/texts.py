"""Rule inputs and parameters for rules/texts.smk."""

from typing import Any

from ripeness.study.grid import Study
from ripeness.study.lock_file import with_commit
from ripeness.workflow.lookups.shared import to_json


def text_source(study: Study, wildcards: Any) -> str:
    """The file of a text probe."""
    return study.config["texts"][wildcards.text]["path"]


def text_files(study: Study, wildcards: Any) -> list[str]:
    """The file of a text probe, as an input."""
    return [text_source(study, wildcards)]


def texts_on_hub(study: Study) -> set[str]:
    """The text probes whose passages come from the hub."""
    return {name for name, text in study.config["texts"].items() if "hub" in text}


def text_on_hub(study: Study, wildcards: Any) -> str:
    """The dataset of the hub that the passages of a text probe are taken from."""
    source = study.config["texts"][wildcards.text]["hub"]
    return to_json(with_commit(study.lock, source, source["id"]))


def text_items(study: Study, wildcards: Any) -> int:
    """How many passages of a text probe are read."""
    return study.config["texts"][wildcards.text]["items"]
