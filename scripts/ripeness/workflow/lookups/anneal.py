"""Give inputs and parameters to the rules of rules/anneal.smk."""

from ripeness.study.annealed_twins import SETTINGS, corpus_of
from ripeness.study.grid import Study
from ripeness.workflow.lookups.fetch import gate_option
from ripeness.workflow.lookups.shared import corpus_folder, pretrained_series, results, to_json
from ripeness.workflow.wildcards import Wildcards


def twin_parent(study: Study, wildcards: Wildcards) -> str:
    """Return the folder of the stable checkpoint that is annealed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    return f"{results(study)}/checkpoints/{wildcards.series}/{entry['anneal']}"


def twin_text(study: Study, wildcards: Wildcards) -> str:
    """Return the text file, or the corpus, on which a twin is annealed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    corpus = corpus_of(study.settings, wildcards.series, entry)
    return entry["text"] if corpus is None else corpus_folder(study, corpus)


def twin_settings(study: Study, wildcards: Wildcards) -> str:
    """Return the settings with which a twin is annealed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    return to_json({key: value for key, value in entry.items() if key in SETTINGS})


def twin_identity(study: Study, wildcards: Wildcards) -> str:
    """Return the identity of a twin."""
    return to_json({"series": wildcards.series, "checkpoint": wildcards.checkpoint})


def twin_gate_files(study: Study, wildcards: Wildcards) -> list[str]:
    """List the files that the gate reads, as for other checkpoints of the series: the corpus or the gate's text."""
    if wildcards.series in pretrained_series(study):
        return [corpus_folder(study, wildcards.series)]
    text = study.settings.series[wildcards.series].gate_text
    return [text] if text else []


def twin_gate(study: Study, wildcards: Wildcards) -> str:
    """Return the options for the gate."""
    if wildcards.series in pretrained_series(study):
        return f"--gate-text {corpus_folder(study, wildcards.series)}"
    return gate_option(study, wildcards)
