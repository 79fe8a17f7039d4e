"""What the rules ask of the plan about annealed twins of checkpoints. See lookups.py."""

from typing import Any

from ripeness.annealed_twins import SETTINGS, corpus_of, is_twin
from ripeness.lookups import results, to_json
from ripeness.plan import Study
from ripeness.series_lookups import gate_option, pretrained_series


def twins(study: Study) -> dict[str, list[str]]:
    """The names of the annealed twins of every series that has any."""
    found = {
        series: [name for name, entry in entries.items() if is_twin(entry)]
        for series, entries in study.checkpoints.items()
    }
    return {series: names for series, names in found.items() if names}


def twin_parent(study: Study, wildcards: Any) -> str:
    """The folder of the stable checkpoint that is annealed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    return f"{results(study)}/checkpoints/{wildcards.series}/{entry['anneal']}"


def twin_text(study: Study, wildcards: Any) -> str:
    """The text file, or the corpus, on which a twin is annealed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    corpus = corpus_of(study.config, wildcards.series, entry)
    return entry["text"] if corpus is None else f"{results(study)}/corpus/{corpus}"


def twin_settings(study: Study, wildcards: Any) -> str:
    """How a twin is annealed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    return to_json({key: entry[key] for key in SETTINGS & entry.keys()})


def twin_identity(study: Study, wildcards: Any) -> str:
    """What a twin is called."""
    return to_json({"series": wildcards.series, "checkpoint": wildcards.checkpoint})


def twin_gate_files(study: Study, wildcards: Any) -> list[str]:
    """What a twin is tried on, as the other checkpoints of its series are: the corpus, or the text of the gate."""
    if wildcards.series in pretrained_series(study):
        return [f"{results(study)}/corpus/{wildcards.series}"]
    text = study.config["series"][wildcards.series].get("gate_text")
    return [text] if text else []


def twin_gate(study: Study, wildcards: Any) -> str:
    """The options that say so."""
    if wildcards.series in pretrained_series(study):
        return f"--gate-text {results(study)}/corpus/{wildcards.series}"
    return gate_option(study, wildcards)
