"""Write a study and a task file from checkpoints and rows, and show what comes of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ripeness.cli.new_checkpoints import series_of
from ripeness.cli.new_task import guessed, rows_of, sizes_for, task_of
from ripeness.cli.places import STUDIES, call
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole
from ripeness.runtime.project import ROOT
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files
from ripeness.study.published_runs import read_series
from ripeness.study.schema import read_yaml
from ripeness.workflow.operations import UNKNOWN_PARAMETERS, stored_parameters
from ripeness.workflow.planned_jobs import on_this_machine, planned_jobs

TASKS = Path("tasks")
RATES = ((10**6, 1e-3), (10**8, 1e-4), (10**9, 3e-5))  # of full tuning: below so many parameters
LARGE_RATE = 1e-5
SMALL = 256  # rows to train on: with batches of 32, three epochs are few steps
SHIPPED_SIZES = {"train": 1000, "validation": 100, "test": 400, "shots": 8}
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Wishes:
    """What a user asks for: see `ripeness init --help`."""

    checkpoints: Sequence[str]
    name: str = "mine"
    rows: Path | None = None
    test: Path | None = None
    datasets: Sequence[str] = ()
    answer: str | None = None
    inputs: Sequence[str] = ()
    template: str | None = None
    gate_text: Path | None = None
    steps: Sequence[int] = ()
    tokens: Sequence[int] = ()
    tokens_per_step: int | None = None
    learning_rate: float | None = None
    force: bool = False


def make(wishes: Wishes) -> Path:
    """Write the files and return the study's; UserError before anything is written."""
    of_rows = [dataset_name(wishes, wishes.rows)] if wishes.rows else []
    if wrong := [name for name in (wishes.name, *of_rows) if not NAME.fullmatch(name)]:
        raise UserError(
            f"{wrong[0]!r} is not a valid name of a study or dataset\n"
            "hint: use lower-case letters, digits and hyphens, such as mine-1"
        )
    if bool(wishes.rows) == bool(wishes.datasets):
        raise UserError(
            "rows of your own or datasets that come with ripeness: one of them is needed\n"
            "hint: --rows my.jsonl, or --dataset rte; tasks/ has all names"
        )
    series = series_of(wishes.checkpoints, wishes.steps, wishes.tokens, wishes.tokens_per_step)
    series |= {"gate_text": str(wishes.gate_text)} if wishes.gate_text else {}
    files: dict[Path, str] = {}
    if wishes.rows:
        task, sizes = own_task(wishes, wishes.rows)
        files[TASKS / f"{task['name']}.yaml"] = as_yaml(task, "task.schema.yaml explains every key.")
        datasets = [task["name"]]
    else:
        datasets, sizes = list(wishes.datasets), SHIPPED_SIZES
    study = study_of(wishes, series, datasets, sizes)
    path = STUDIES / f"{wishes.name}.yaml"
    files[path] = as_yaml(
        study, "config.schema.yaml explains every key; a new line under `checkpoints` runs only its own jobs."
    )
    before = {one: one.read_text(encoding="utf-8") if one.is_file() else None for one in files}
    write(files, force=wishes.force)
    try:
        check_files(load_study(read_yaml(path), ROOT / "tasks"))
    except UserError:
        for one, text in before.items():
            one.unlink() if text is None else one.write_text(text, encoding="utf-8")
        raise
    print(*(f"wrote {written}" for written in files), sep="\n")
    return path


def own_task(wishes: Wishes, rows_file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the task file for a user's rows, and how many rows serve what."""
    rows = rows_of(rows_file)
    columns = guessed(rows, answer=wishes.answer, inputs=wishes.inputs)
    n_test = len(rows_of(wishes.test)) if wishes.test else None
    source = {"train": str(rows_file), "validation": str(rows_file), "test": str(wishes.test or rows_file)}
    task = task_of(dataset_name(wishes, rows_file), rows, columns, source, template=wishes.template)
    if (ROOT / TASKS / f"{task['name']}.yaml").is_file() and ROOT.resolve() == Path.cwd():
        task["name"] = f"{wishes.name}-{task['name']}"  # no file of the project is replaced
    print(f"{len(rows):,} rows: {', '.join(columns.inputs)} -> {columns.answer}, a {task['kind']}" + labels_of(task))
    used = {*columns.inputs, columns.answer, columns.options}
    if left := [name for name in dict.fromkeys(name for row in rows for name in row) if name not in used]:
        print(f"left out: {', '.join(left)} (--input names the columns that are asked)")
    return task, sizes_for(len(rows), n_test)


def labels_of(task: Mapping[str, Any]) -> str:
    """Name the labels of a task, if it has any."""
    return f" among {', '.join(task['labels'])}" if "labels" in task else ""


def dataset_name(wishes: Wishes, rows_file: Path) -> str:
    """Name a dataset as its file, or as the study where the file's name has none of the letters."""
    return as_name(rows_file.name.split(".")[0]) or wishes.name


def as_name(word: str) -> str:
    """Make a word a name as datasets have it."""
    return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")


def study_of(
    wishes: Wishes, series: Mapping[str, Any], datasets: Sequence[str], sizes: Mapping[str, int]
) -> dict[str, Any]:
    """Return the keys of the study: full tuning with two seeds, measured on the datasets themselves."""
    n_parameters = n_parameters_of(series)
    rate = wishes.learning_rate or next((rate for most, rate in RATES if n_parameters < most), LARGE_RATE)
    batch_size = 8 if sizes["train"] < SMALL else 32
    return {
        "study": wishes.name,
        "title": f"When is {wishes.name} ripe for tuning on {', '.join(datasets)}?",
        "series": {wishes.name: dict(series)},
        "datasets": {name: {} for name in datasets},
        "formats": ["default"],
        "methods": {
            "base": {"shots": [0]},
            "full": {
                "kind": "full",
                "learning_rate": rate,
                "epochs": 3,
                "batch_size": batch_size,
            },
        },
        "seeds": [1, 2],
        "items": dict(sizes),
        "suites": {"own": {"datasets": "own", "formats": "all"}},
    }


def n_parameters_of(series: Mapping[str, Any]) -> int:
    """Count the weights of the first checkpoint, or read their number in the file of a published run."""
    if "from" in series:
        return read_series(series["from"]).get("n_parameters", UNKNOWN_PARAMETERS)
    paths = [line["path"] for line in series.get("checkpoints", []) if "path" in line]
    return stored_parameters(paths[0]) if paths else UNKNOWN_PARAMETERS


STRING, FLOAT = "tag:yaml.org,2002:str", "tag:yaml.org,2002:float"


class Plain(yaml.SafeDumper):
    """YAML as people write it: texts with line ends in double quotes, rates as 1.0e-3."""


def text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Write a text in double quotes where white space counts."""
    return dumper.represent_scalar(STRING, text, style='"' if "\n" in text or text != text.strip() else None)


def rate_text(value: float) -> str:
    """Write a rate so that YAML reads a number: 0.001 is 1.0e-3."""
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}{'' if '.' in f'{float(mantissa):g}' else '.0'}e{int(exponent)}"


Plain.add_representer(str, text_node)
Plain.add_representer(float, lambda dumper, value: dumper.represent_scalar(FLOAT, rate_text(value)))


def as_yaml(keys: Mapping[str, Any], comment: str) -> str:
    """Write keys as the text of a file, a line each where that fits."""
    text = yaml.dump(dict(keys), Dumper=Plain, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return f"# Made by `ripeness init`. {comment}\n{text}"


def write(files: Mapping[Path, str], *, force: bool) -> None:
    """Write the files; UserError where one is there that says something else."""
    for path, text in files.items():
        if path.is_file() and path.read_text(encoding="utf-8") != text and not force:
            raise UserError(f"{path} is there already\nhint: --name another-name, or --force to replace it")
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        with whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def show_item(study: Path) -> None:
    """Show the first test item as the first checkpoint on disk reads it; nothing without one."""
    loaded = load_study(read_yaml(study), ROOT / "tasks")
    folders = [
        entry["path"] for entries in loaded.checkpoints.values() for entry in entries.values() if "path" in entry
    ]
    if folders:
        print()
        call("show_item", next(iter(loaded.tasks)), "--checkpoint", folders[0])


def forecast(study: Path) -> None:
    """Say what the study costs on this machine, and how to run it."""
    loaded = load_study(read_yaml(study), ROOT / "tasks")
    logs = Path("results") / loaded.settings.study / "logs"
    print(f"\non this machine, without a GPU: {on_this_machine(loaded, planned_jobs(study), logs)}")
    print(f"next: `ripeness run {study.stem}` runs it, `ripeness plan {study.stem}` says what it costs on GPUs")
