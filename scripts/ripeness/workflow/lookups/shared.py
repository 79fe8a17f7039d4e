"""Give paths and settings that several chapters of the rules share."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import Study, pretraining_of
from ripeness.study.study_config import MODELS, PUBLISHED

CORPUS_KEYS = {"n_tokens", "n_heldout", "vocabulary_size"}  # the settings of a corpus, apart from its source


def results(study: Study) -> str:
    """Return the study's folder."""
    return f"results/{study.settings.study}"


def to_json(value: object) -> str:
    """Write JSON on one line, the same text for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def to_script(value: object) -> str:
    """Write JSON for rules whose files are in Snakemake's report, which puts parameters into a script unescaped."""
    return to_json(value).replace("<", r"\u003c")


def text_file(study: Study, series: str, text: str) -> str:
    """Return the passages of a text; where it is held out, those of the series."""
    if study.settings.texts[text].heldout:
        return f"{corpus_folder(study, series)}/heldout.parquet"
    return f"{results(study)}/texts/{text}.parquet"


def corpus_folder(study: Study, series: str) -> str:
    """Return the folder of the corpus of a series that is pre-trained here: of the first series with an equal one."""
    equal = (name for name in study.settings.series if name in pretrained_series(study))
    own = corpus_settings(study, series)
    return f"{results(study)}/corpus/{next(name for name in equal if corpus_settings(study, name) == own)}"


def corpus_settings(study: Study, series: str) -> dict[str, Any]:
    """Return the settings that the corpus of a series is made by."""
    settings = dict(pretraining_of(study, series))
    return {key: settings[key] for key in ("source", *sorted(CORPUS_KEYS))}


def made_for(study: Study, paths: Iterable[str]) -> list[str]:
    """Return the folders and files that rules make for these files: a text is a file, any other is part of a folder."""
    texts = f"{results(study)}/texts/"
    return list(dict.fromkeys(path if path.startswith(texts) else str(Path(path).parent) for path in paths))


def is_published(study: Study) -> bool:
    """Tell whether a study is one of published numbers, with nothing to run."""
    return study.settings.kind == PUBLISHED


def runs_models(study: Study) -> bool:
    """Tell whether a study pre-trains, tunes or runs language models."""
    return study.settings.kind == MODELS


def pretrained_series(study: Study) -> set[str]:
    """Return the series that are pre-trained here."""
    return {name for name, series in study.settings.series.items() if series.pretrain is not None}


def twins(study: Study) -> dict[str, list[str]]:
    """Return the names of the annealed twins of every series that has any."""
    found = {
        series: [name for name, entry in entries.items() if is_twin(entry)]
        for series, entries in study.checkpoints.items()
    }
    return {series: names for series, names in found.items() if names}
