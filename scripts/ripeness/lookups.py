"""What the rules ask of the plan: every function takes the study and a rule's wildcards, and returns paths or settings.

Settings are JSON text with sorted keys, so that a rule reruns exactly when one of its own values changes. Paths are
below the study's folder, which the Snakefile calls <results>.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Template

from ripeness.plan import (
    TEXT_FORMAT,
    Cell,
    Study,
    cells_at,
    probes_of,
    stable_step,
    state_before,
    state_steps,
)
from ripeness.tasks import Task

CAPTIONS = Path(__file__).parents[2] / "reports"
CORPUS_KEYS = {"n_tokens", "n_heldout", "vocabulary_size"}


def results(study: Study) -> str:
    """The study's folder."""
    return f"results/{study.config['study']}"


def to_json(value: object) -> str:
    """JSON text on one line that is the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def cell_of(wildcards: Any) -> Cell:  # noqa: ANN401 (Snakemake's wildcards have no public type)
    """The cell that a job's wildcards name."""
    w = wildcards
    return Cell(w.series, w.checkpoint, w.dataset, w.format, w.method, int(w.seed))


# --- pre-training ---------------------------------------------------------------------------------------------------


def corpus_recipe(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """What the corpus of a series is made of."""
    settings = study.config["series"][wildcards.series]["pretrain"]
    source = settings["source"]
    if "hub" in source:
        folder = f"{results(study)}/text/{wildcards.series}"
        source = {"text": {split: f"{folder}/{split}.txt" for split in ("train", "validation")}}
    return to_json(source | {key: settings[key] for key in CORPUS_KEYS})


def corpus_files(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401
    """The text files that a corpus is made of, or the folder of fetched ones; none for the nursery's world."""
    source = study.config["series"][wildcards.series]["pretrain"]["source"]
    if "hub" in source:
        return [f"{results(study)}/text/{wildcards.series}"]
    return sorted(source.get("text", {}).values())


def text_on_hub(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The dataset of the hub from which a series' text comes."""
    return to_json(study.config["series"][wildcards.series]["pretrain"]["source"]["hub"])


def pretraining_settings(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """Model, optimiser and seed of a pre-training."""
    settings = study.config["series"][wildcards.series]["pretrain"]
    return to_json({key: value for key, value in settings.items() if key not in CORPUS_KEYS | {"source"}})


def earlier_state(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401
    """The kept state from which a state goes on; none for the first."""
    earlier = [step for step in state_steps(study, wildcards.series) if step < int(wildcards.step)]
    return [f"{results(study)}/pretraining/{wildcards.series}/step{max(earlier)}.safetensors"] if earlier else []


def resume_option(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The option before the earlier state; nothing for the first state."""
    return "--resume" if earlier_state(study, wildcards) else ""


def pretrained_series(study: Study) -> set[str]:
    """The series that are pre-trained here."""
    return {name for name, series in study.config["series"].items() if "pretrain" in series}


def world_datasets(study: Study) -> set[str]:
    """The datasets that the nursery's world gives."""
    return {name for name, task in study.tasks.items() if "world" in task.source}


def state_for(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The kept state from which a checkpoint is made."""
    step = stable_step(study.checkpoints[wildcards.series][wildcards.checkpoint])
    before = state_before(study, wildcards.series, step)
    return f"{results(study)}/pretraining/{wildcards.series}/step{before}.safetensors"


def pretrained_checkpoint(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """Where in the pre-training a checkpoint is taken, and how it is annealed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    identity = {"series": wildcards.series, "checkpoint": wildcards.checkpoint}
    if "anneal_from" in entry:
        return to_json(identity | {"phase": "annealed", "from_step": entry["anneal_from"], "steps": entry["steps"]})
    return to_json(identity | {"phase": "stable", "step": entry["step"]})


def fetched_checkpoint(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """Where a checkpoint that is not pre-trained here comes from, and what is known of it."""
    series = study.config["series"][wildcards.series]
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    return to_json(
        {"series": wildcards.series, "checkpoint": wildcards.checkpoint, "seed": series["seed"]}
        | entry
        | ({"repo": series["repo"]} if "revision" in entry else {})
    )


def checkpoint_files(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401
    """The weights' index or configuration of a checkpoint on disk, so that a replaced folder is noticed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    return [f"{entry['path'].rstrip('/')}/config.json"] if "path" in entry else []


# --- datasets -------------------------------------------------------------------------------------------------------


def dataset_source(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """Where the rows of a dataset come from; how many to make of those that the nursery's world gives."""
    source, sizes = study.tasks[wildcards.dataset].source, study.config["items"]
    if "world" not in source:
        return to_json(source)
    rows = {"train": sizes["train"] + sizes["shots"], "validation": sizes["validation"], "test": sizes["test"]}
    return to_json(source | {"rows": rows})


def dataset_licence(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The licence of a dataset."""
    return study.tasks[wildcards.dataset].licence


def item_sizes(study: Study, wildcards: Any) -> str:  # noqa: ANN401, ARG001
    """How many items of every dataset are drawn."""
    return to_json(study.config["items"])


def text_source(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The file of a text probe."""
    return study.config["texts"][wildcards.text]["path"]


def text_items(study: Study, wildcards: Any) -> int:  # noqa: ANN401
    """How many passages of a text probe are read."""
    return study.config["texts"][wildcards.text]["items"]


def dataset_files(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401
    """The files on disk that a dataset is read from."""
    source = study.tasks[wildcards.dataset].source
    return list(dict.fromkeys(source[role] for role in ("train", "validation", "test") if role in source))


def item_task(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The part of a task that decides its items: everything but wording and description."""
    return to_json(task_part(study.tasks[wildcards.dataset], formats={}, title="", licence=""))


def render_task(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The part of a task that decides its wording in one format."""
    task = study.tasks[wildcards.dataset]
    formats = {wildcards.format: task.formats[wildcards.format]}
    return to_json(task_part(task, formats=formats, title="", licence="", source={}))


def task_part(task: Task, **replaced: object) -> dict[str, object]:
    """A task as JSON, with the keys that a step does not depend on left empty, so that they cannot rerun it."""
    return asdict(task) | {"homepage": None} | replaced


def ready_inputs(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG001
    """Everything that must be found good before an expensive job starts: items, and checkpoints not made here."""
    items = [f"{results(study)}/items/{name}" for name in study.tasks]
    fetched = [
        f"{results(study)}/checkpoints/{series}/{checkpoint}"
        for series, checkpoints in study.checkpoints.items()
        if "pretrain" not in study.config["series"][series]
        for checkpoint in checkpoints
    ]
    return items + fetched


# --- cells ----------------------------------------------------------------------------------------------------------


def method_settings(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The recipe of a cell's method, with its seed."""
    return to_json(study.config["methods"][wildcards.method] | {"seed": int(wildcards.seed)})


def model_folder(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The model of a cell: the checkpoint itself for `base`."""
    cell = cell_of(wildcards)
    if cell.method == "base":
        return f"{results(study)}/checkpoints/{cell.series}/{cell.checkpoint}"
    return f"{results(study)}/cells/{cell.path}/model"


def training_record(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401
    """The record of a cell's training; none for `base`."""
    cell = cell_of(wildcards)
    return [] if cell.method == "base" else [f"{results(study)}/cells/{cell.path}/training.json"]


def training_option(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The option before the training record; nothing for `base`."""
    return "--training" if training_record(study, wildcards) else ""


def probe_rows(study: Study, wildcards: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The probes of a cell with the files that they read."""
    cell = cell_of(wildcards)
    rows = []
    for probe in probes_of(study, cell):
        if probe.kind == TEXT_FORMAT:
            is_heldout = "heldout" in study.config["texts"][probe.probe]
            place = f"corpus/{cell.series}/heldout" if is_heldout else f"texts/{probe.probe}"
            rows.append(asdict(probe) | {"examples": f"{results(study)}/{place}.parquet"})
            continue
        folder = f"{results(study)}/examples/{probe.probe}/{probe.format}"
        task = study.tasks[probe.probe]
        more = {"examples": f"{folder}/test.parquet"}
        if probe.shots:
            more |= {"shot_examples": f"{folder}/shots.parquet", "separator": task.separator}
        if probe.kind == "generation":
            more |= {"max_new_tokens": task.max_new_tokens, "stop": task.stop}
        rows.append(asdict(probe) | more)
    return rows


def probe_list(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The probes of a cell as the option of predict."""
    return to_json(probe_rows(study, wildcards))


def probe_files(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401
    """The folders and files that a cell's probes read."""
    paths = dict.fromkeys(row["examples"] for row in probe_rows(study, wildcards))
    # a corpus and the examples of a format are made as folders
    made = [path if "/texts/" in path else str(Path(path).parent) for path in paths]
    return list(dict.fromkeys(made))


def cell_identity(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The identity columns of a cell that its checkpoint does not know."""
    cell = cell_of(wildcards)
    return to_json(
        {
            "study": study.config["study"],
            "dataset": cell.dataset,
            "format": cell.format,
            "method": cell.method,
            "learning_rate": study.config["methods"][cell.method].get("learning_rate"),
            "seed": cell.seed,
        }
    )


def scores_at(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401
    """The measurements of all cells of one checkpoint."""
    return [
        f"{results(study)}/cells/{cell.path}/measurements.parquet"
        for cell in cells_at(study, wildcards.series, wildcards.checkpoint)
    ]


def checkpoint_tables(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG001
    """The collected measurements of every checkpoint."""
    return tables_of_checkpoints(study, "measurements")


def status_tables(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG001
    """The collected cells of every checkpoint."""
    return tables_of_checkpoints(study, "cells")


def item_tables(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG001
    """The collected items of every checkpoint."""
    return tables_of_checkpoints(study, "items")


def tables_of_checkpoints(study: Study, name: str) -> list[str]:
    """One of the tables that collect_checkpoint writes, for every checkpoint."""
    return [
        f"{results(study)}/tables/{name}/{series}/{checkpoint}.parquet"
        for series, checkpoints in study.checkpoints.items()
        for checkpoint in checkpoints
    ]


# --- report ---------------------------------------------------------------------------------------------------------


def finding_settings(study: Study, wildcards: Any) -> str:  # noqa: ANN401, ARG001
    """How claims are tested."""
    return to_json(study.config["findings"])


def figure_caption(study: Study, wildcards: Any) -> str:  # noqa: ANN401
    """The caption of a figure (reports/<figure>.rst) with the study's numbers, for Snakemake's own report."""
    text = (CAPTIONS / f"{wildcards.figure}.rst").read_text(encoding="utf-8")
    return Template(text).render(snakemake={"config": study.config})


def config_json(study: Study, wildcards: Any) -> str:  # noqa: ANN401, ARG001
    """The study as it was understood, with defaults."""
    return to_json(study.config)


def dataset_folders(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG001
    """The published rows of all datasets."""
    return [f"{results(study)}/datasets/{name}" for name in study.tasks]


def checkpoint_folders(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG001
    """All checkpoints of the study."""
    return [
        f"{results(study)}/checkpoints/{series}/{name}" for series, names in study.checkpoints.items() for name in names
    ]


def shown_cells(study: Study) -> list[Cell]:
    """The untouched cells whose prompts the report shows: those of the first checkpoint and seed."""
    series, checkpoints = next(iter(study.checkpoints.items()))
    seed = study.config["seeds"][0]
    cells = cells_at(study, series, next(iter(checkpoints)))
    return [c for c in cells if c.method == "base" and c.seed == seed and c.format != TEXT_FORMAT]


def shown_probes(study: Study, wildcards: Any) -> str:  # noqa: ANN401, ARG001
    """The probes whose prompts the report shows."""
    return to_json([row for cell in shown_cells(study) for row in probe_rows(study, cell)])


def shown_files(study: Study, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG001
    """The examples that the shown prompts are taken from."""
    return [f"{results(study)}/examples/{cell.dataset}/{cell.format}" for cell in shown_cells(study)]


def shown_checkpoint(study: Study, wildcards: Any) -> str:  # noqa: ANN401, ARG001
    """The checkpoint whose tokenizer reads the shown prompts."""
    return checkpoint_folders(study, wildcards)[0]
