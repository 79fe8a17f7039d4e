"""What the rules ask of the plan: every function takes the study and a rule's wildcards, and returns paths or settings.

Settings are JSON text with sorted keys, so that a rule reruns exactly when one of its own values changes. Paths are
below the study's folder, which the Snakefile calls <results>.
"""

import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

from ripeness.families import repeats
from ripeness.plan import (
    HARNESS_FORMAT,
    MODELS,
    PUBLISHED,
    TEXT_FORMAT,
    THEORY,
    Cell,
    Study,
    cells_at,
    kind_of,
    probes_of,
    recipe_on,
    tuned_series,
    tunes_on,
)
from ripeness.recipes import on_dataset
from ripeness.tasks import normalisation_of

APART = ("gpu", "datasets", "choose_by")  # of a method's settings, what no training depends on


def results(study: Study) -> str:
    """The study's folder."""
    return f"results/{study.config['study']}"


def to_json(value: object) -> str:
    """JSON text on one line that is the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def to_script(value: object) -> str:
    """JSON text for rules whose files are in Snakemake's report, which puts parameters into a script as they are."""
    return to_json(value).replace("<", r"\u003c")


def cell_of(wildcards: Any) -> Cell:
    """The cell that a job's wildcards name."""
    w = wildcards
    return Cell(w.series, w.checkpoint, w.dataset, w.format, w.method, int(w.seed))


def method_settings(study: Study, wildcards: Any) -> str:
    """The recipe of a cell, with its seed."""
    recipe = recipe_on(study, wildcards.method, wildcards.dataset) | {"seed": int(wildcards.seed)}
    return to_json(of_training(recipe, "method", "is_grid"))


def of_training(settings: dict[str, Any], *others: str) -> dict[str, Any]:
    """Those of a method's settings that a training depends on, without `others`; of replay the share, not the file."""
    kept = {key: value for key, value in settings.items() if key not in (*others, *APART)}
    return kept | ({"replay": kept["replay"]["share"]} if "replay" in kept else {})


def tuning_settings(study: Study, wildcards: Any) -> str:
    """The settings of a method without its learning rate and seed, which are chosen."""
    settings = on_dataset(study.config["methods"][wildcards.tuning], wildcards.dataset)
    return to_json(of_training(settings, "learning_rate"))


def chosen_by(study: Study, wildcards: Any) -> str:
    """What chooses among the trainings of every method: its score, or its loss."""
    methods = study.config["methods"].items()
    return to_json({name: settings["choose_by"] for name, settings in methods if name != "base"})


def tuning_chosen_by(study: Study, wildcards: Any) -> str:
    """What chooses among the trainings of one method."""
    return study.config["methods"][wildcards.tuning]["choose_by"]


def examples_of_dataset(study: Study, wildcards: Any) -> list[str]:
    """The examples of a dataset in every format that models are tuned in."""
    return [f"{results(study)}/examples/{wildcards.dataset}/{format_}" for format_ in study.config["formats"]]


def kept_models(study: Study, wildcards: Any) -> list[str]:
    """The models that are kept of every checkpoint, dataset and method, if the study wants the best."""
    if study.config["keep_models"] != "best":
        return []
    pairs = list(product(study.config["datasets"], study.config["methods"]))
    return [
        f"{results(study)}/best/{series}/{checkpoint}/{dataset}/{method}/model"
        for series, checkpoints in study.checkpoints.items()
        for checkpoint in checkpoints
        for dataset, method in pairs
        if tunes_on(study, series, method, dataset)
    ]


def model_folder(study: Study, wildcards: Any) -> str:
    """The model of a cell: the checkpoint itself for `base`."""
    cell = cell_of(wildcards)
    if cell.method == "base":
        return f"{results(study)}/checkpoints/{cell.series}/{cell.checkpoint}"
    return f"{results(study)}/cells/{cell.path}/model"


def training_record(study: Study, wildcards: Any) -> list[str]:
    """The record of a cell's training; none for `base`."""
    cell = cell_of(wildcards)
    return [] if cell.method == "base" else [f"{results(study)}/cells/{cell.path}/training.json"]


def probe_rows(study: Study, wildcards: Any) -> list[dict[str, Any]]:
    """The probes of a cell with the files that they read."""
    cell = cell_of(wildcards)
    rows = []
    for probe in probes_of(study, cell):
        if probe.kind == TEXT_FORMAT:
            rows.append(vars(probe) | {"examples": text_file(study, cell.series, probe.probe)})
            continue
        if probe.kind == "harness":
            rows.append(vars(probe) | {"examples": f"{results(study)}/{HARNESS_FORMAT}/{probe.probe}/task.json"})
            continue
        folder = f"{results(study)}/examples/{probe.probe}/{probe.format}"
        task = study.tasks[probe.probe]
        more = {"examples": f"{folder}/{probe.split}.parquet"}
        if probe.shots:
            more |= {"shot_examples": f"{folder}/shots.parquet", "separator": task.separator}
        if probe.kind == "generation":
            more |= {"max_new_tokens": task.max_new_tokens, "stop": task.stop}
        if normalisation_of(task, probe.format) == "pmi":
            more |= {"unconditional": task.unconditional}
        rows.append(vars(probe) | more)
    return rows


def text_file(study: Study, series: str, text: str) -> str:
    """The passages of a text; where it is held out, those of the series."""
    is_heldout = "heldout" in study.config["texts"][text]
    return f"{results(study)}/{f'corpus/{series}/heldout' if is_heldout else f'texts/{text}'}.parquet"


def made_for(study: Study, paths: Iterable[str]) -> list[str]:
    """The folders and files that rules make for these files: a text is a file, any other is part of a folder."""
    texts = f"{results(study)}/texts/"
    return list(dict.fromkeys(path if path.startswith(texts) else str(Path(path).parent) for path in paths))


def probe_normalisations(study: Study, wildcards: Any) -> str:
    """How log-likelihoods of options are normalised, by dataset and format, where they are."""
    found: dict[str, dict[str, str]] = {}
    for probe in probes_of(study, cell_of(wildcards)):
        if probe.kind == "choice" and (name := normalisation_of(study.tasks[probe.probe], probe.format)) != "none":
            found.setdefault(probe.probe, {})[probe.format] = name
    return to_json(found)


def probe_extracts(study: Study, wildcards: Any) -> str:
    """The patterns that find the answer in a generated text, by dataset, where there are any."""
    asked = {probe.probe for probe in probes_of(study, cell_of(wildcards)) if probe.kind == "generation"}
    return to_json({name: study.tasks[name].extract for name in sorted(asked) if study.tasks[name].extract})


def probe_words(study: Study, wildcards: Any) -> str:
    """Which words ROUGE-L compares, by dataset, where they are not those of English."""
    probes = [probe.probe for probe in probes_of(study, cell_of(wildcards)) if probe.kind == "generation"]
    return to_json({name: words for name in probes if (words := study.tasks[name].rouge_words) != "english"})


def probe_list(study: Study, wildcards: Any) -> str:
    """The probes of a cell as the option of predict."""
    return to_json(probe_rows(study, wildcards))


def probe_files(study: Study, wildcards: Any) -> list[str]:
    """The folders and files that a cell's probes read."""
    return made_for(study, (row["examples"] for row in probe_rows(study, wildcards)))


def cell_identity(study: Study, wildcards: Any) -> str:
    """The identity columns of a cell that its checkpoint does not know."""
    cell = cell_of(wildcards)
    recipe = {} if cell.method == "base" else recipe_on(study, cell.method, cell.dataset)
    return to_json(
        {
            "study": study.config["study"],
            "dataset": cell.dataset,
            "format": cell.format,
            "method": recipe.get("method", "base"),
            "learning_rate": recipe.get("learning_rate"),
            "seed": cell.seed,
        }
    )


def scores_at(study: Study, wildcards: Any) -> list[str]:
    """The measurements of all cells of one checkpoint."""
    return [
        f"{results(study)}/cells/{cell.path}/measurements.parquet"
        for cell in cells_at(study, wildcards.series, wildcards.checkpoint)
    ]


def checkpoint_tables(study: Study, wildcards: Any) -> list[str]:
    """The collected measurements of every checkpoint."""
    return tables_of_checkpoints(study, "measurements")


def status_tables(study: Study, wildcards: Any) -> list[str]:
    """The collected cells of every checkpoint."""
    return tables_of_checkpoints(study, "cells")


def item_tables(study: Study, wildcards: Any) -> list[str]:
    """The collected items of every checkpoint; published numbers have none."""
    return tables_of_checkpoints(study, "items") if runs_models(study) else []


def measurements_table(study: Study, wildcards: Any) -> list[str]:
    """All measurements; a study of the theory has none."""
    return [] if kind_of(study.config) == THEORY else [f"{results(study)}/tables/measurements.parquet"]


def cells_table(study: Study, wildcards: Any) -> list[str]:
    """All cells; a study of the theory has none."""
    return [] if kind_of(study.config) == THEORY else [f"{results(study)}/tables/cells.parquet"]


def audit_table(study: Study, wildcards: Any) -> list[str]:
    """What the audit saw; a study of the theory has nothing that it could look at."""
    return [] if kind_of(study.config) == THEORY else [f"{results(study)}/tables/audit.parquet"]


def tables_of_checkpoints(study: Study, name: str) -> list[str]:
    """One of the tables that collect_checkpoint writes, for every checkpoint with cells; published numbers have one."""
    if is_published(study):
        return [f"{results(study)}/tables/{name}/published.parquet"]
    return [
        f"{results(study)}/tables/{name}/{series}/{checkpoint}.parquet"
        for series in tuned_series(study)
        for checkpoint in study.checkpoints[series]
    ]


def is_published(study: Study) -> bool:
    """Whether a study is one of published numbers, with nothing to run."""
    return kind_of(study.config) == PUBLISHED


def runs_models(study: Study) -> bool:
    """Whether a study pre-trains, tunes or asks language models."""
    return kind_of(study.config) == MODELS


def published_tables(study: Study, wildcards: Any) -> list[str]:
    """The tables of published numbers."""
    return study.config["published"]["tables"] if is_published(study) else []


def published_settings(study: Study, wildcards: Any) -> str:
    """How published tables are read."""
    return to_json(study.config.get("published", {}))


def finding_settings(study: Study, wildcards: Any) -> str:
    """How claims are tested: at the fewest shots with which tuned models are asked, unless that is none.

    For published numbers with the groups and types that the study names; for several series with what they share.
    """
    suites = study.config.get("suites", {}).values()
    shots = min((n for suite in suites if "datasets" in suite for n in suite["shots"]), default=0)
    published = study.config.get("published", {})
    named = {key: published[key] for key in ("learned", "not_learned") if key in published}
    if tuned_on := published.get("tuned_on"):
        named["kinds"] = {name: entry["kind"] for name, entry in tuned_on.items() if "kind" in entry}
    if published and "perhaps-one-label" in study.config.get("audit", {}).get("acknowledge", {}):
        named["is_one_label_meant"] = True
    return to_script(study.config["findings"] | named | repeats(study.config) | ({"shots": shots} if shots else {}))


def config_json(study: Study, wildcards: Any) -> str:
    """The study as it was understood, with defaults; `scratch` is the site's."""
    is_whole = runs_models(study)
    others = ["study", "title", kind_of(study.config), "findings"]
    others += ["audit"] if study.config.get("audit", {}).get("acknowledge") else []
    keys = study.config.keys() - {"scratch"} if is_whole else others
    return to_json({key: study.config[key] for key in keys})


def dataset_folders(study: Study, wildcards: Any) -> list[str]:
    """The published rows of all datasets."""
    return [f"{results(study)}/datasets/{name}" for name in study.tasks]


def checkpoint_folders(study: Study, wildcards: Any) -> list[str]:
    """All checkpoints of the study."""
    return [
        f"{results(study)}/checkpoints/{series}/{name}" for series, names in study.checkpoints.items() for name in names
    ]
