"""The grid as data: which cells a study has, what each is measured on, and what each reads.

Pure Python over the study's config, its task and series files and the lock file: nothing is downloaded, no model is
touched, and neither torch nor polars is imported, since every job of a cluster parses the Snakefile anew.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from ripeness.audit import check_acknowledged
from ripeness.config import check_config, hint
from ripeness.errors import UserError
from ripeness.revisions import LOCK_FILE, read_lock
from ripeness.series import name_checkpoints
from ripeness.tasks import Task, load_task

TEXT_FORMAT = "text"  # the "format" of running text, which has none
HARNESS_FORMAT = "lm_eval"  # the "format" of a task of lm-evaluation-harness, which words it
UNSEEDED = (TEXT_FORMAT, HARNESS_FORMAT)  # no seed of the study draws their shots
KINDS = ("datasets", "texts", "lm_eval")  # what a suite may list
VALIDATION = "validation"  # the suite on which learning rates, and models to keep, are chosen
# What a study of published numbers has instead of models: no cell is planned and no model is asked.
NOTHING_RUNS = {
    "series": {}, "datasets": {}, "formats": [], "methods": {"base": {"shots": [0]}}, "seeds": [], "suites": {},
    "items": {},
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One model of the study: a checkpoint, tuned by a method on a dataset in a format with a seed."""

    series: str
    checkpoint: str
    dataset: str
    format: str
    method: str
    seed: int

    @property
    def path(self) -> str:
        """The cell's folder below results/<study>/cells; the pathvar `cell` in the Snakefile says the same."""
        return f"{self.series}/{self.checkpoint}/{self.dataset}/{self.format}/{self.method}/seed{self.seed}"


@dataclass(frozen=True)
class Probe:
    """What a model is measured on: a dataset in a format with a number of shots, running text, a task of lm-eval."""

    suite: str
    probe: str
    kind: str
    format: str
    shots: int
    split: str = "test"


@dataclass(frozen=True)
class Study:
    """A checked study: its config with defaults, its tasks, its checkpoints by series and name, its recipes.

    A recipe is a method with one learning rate; its name is that of the method, followed by the rate if the method has
    a list of them.
    """

    config: dict[str, Any]
    tasks: dict[str, Task]
    checkpoints: dict[str, dict[str, dict[str, Any]]]
    recipes: dict[str, dict[str, Any]]
    lock: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # see ripeness.revisions


def load_study(config: dict[str, Any], task_folder: Path, lock_file: Path = LOCK_FILE) -> Study:
    """Check a config and everything that it names; UserError for the first thing wrong."""
    config = check_config(config)
    check_acknowledged(config["audit"]["acknowledge"])
    if "published" in config:
        return Study(config | deepcopy(NOTHING_RUNS), {}, {}, {})
    names = list(config["datasets"])
    for suite in config["suites"].values():
        names += [name for name in suite.get("datasets", []) if isinstance(suite["datasets"], list)]
    tasks = {
        name: load_task(name, task_folder, overrides=config["datasets"].get(name) or {})
        for name in dict.fromkeys(names)
    }
    lock = read_lock(lock_file)
    checkpoints = {name: name_checkpoints(name, settings, lock) for name, settings in config["series"].items()}
    study = Study(config, tasks, checkpoints, name_recipes(config["methods"]), lock)
    check_methods(study)
    check_suites(study)
    check_texts(config)
    check_formats(study)
    if config["scratch"] and config["keep_models"] == "all":
        raise UserError(
            f"scratch: {config['scratch']!r} is cleared once a model is measured, but keep_models is 'all'\n"
            "hint: take `scratch` out of the profile, or keep_models: best"
        )
    if not any(cell.method != "base" for cell in plan_cells(study)):
        raise UserError(
            "the study has no cell to train: it needs at least one dataset and one method beside `base`\n"
            "hint: add a line under `datasets` and one under `methods`"
        )
    return study


def name_recipes(methods: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every method but `base` with each of its learning rates; `method` names the method in the recipe."""
    recipes: dict[str, dict[str, Any]] = {}
    for method, settings in methods.items():
        if method == "base":
            continue
        rates = settings["learning_rate"]
        for rate in rates if isinstance(rates, list) else [rates]:
            name = f"{method}-lr{rate:g}" if isinstance(rates, list) else method
            if name in recipes or name in methods.keys() - {method}:
                raise UserError(
                    f"methods.{method}.learning_rate: {rate} makes a second method of the name {name!r}\n"
                    "hint: rename one of the methods, or give rates that differ in their first six digits"
                )
            recipes[name] = settings | {"learning_rate": rate, "method": method, "is_grid": isinstance(rates, list)}
    return recipes


def check_methods(study: Study) -> None:
    """Refuse methods that tune on what is no dataset of the study."""
    for method, settings in study.config["methods"].items():
        for dataset in settings.get("datasets", []):
            if dataset not in study.config["datasets"]:
                raise unknown(f"methods.{method}.datasets", "dataset", dataset, study.config["datasets"])


def tunes_on(study: Study, method: str, dataset: str) -> bool:
    """Whether a method of the study, not the untouched one, tunes on a dataset."""
    return method != "base" and dataset in study.config["methods"][method].get("datasets", [dataset])


def datasets_tuned_on(study: Study) -> list[str]:
    """The datasets that any method tunes on; others of the study are measured only."""
    methods = study.config["methods"]
    return [name for name in study.config["datasets"] if any(tunes_on(study, method, name) for method in methods)]


def check_suites(study: Study) -> None:
    """Refuse suites that name what the study does not have."""
    config = study.config
    for name, suite in config["suites"].items():
        where = f"suites.{name}"
        if len(suite.keys() & set(KINDS)) != 1:
            kinds = ", ".join(f"`{kind}`" for kind in KINDS)
            raise UserError(f"{where}: a suite has exactly one of {kinds}\nhint: make a suite of each")
        if name in ("base", VALIDATION):
            raise UserError(f"{where}: the name {name!r} is taken\nhint: call the suite something else")
        check_shots(where, suite, config)
        for text in suite.get("texts", []):
            if text not in config["texts"]:
                raise unknown(where, "text", text, config["texts"])
        for dataset in suite.get("tuned_on", []):
            if dataset not in config["datasets"]:
                raise unknown(f"{where}.tuned_on", "dataset", dataset, config["datasets"])
        if "datasets" not in suite:
            continue
        if "formats" not in suite:
            raise UserError(f"{where}: `formats` is missing\nhint: trained, all, or a list such as [default]")
        if isinstance(suite["datasets"], str) and suite["datasets"] != "own":
            raise unknown(where, "datasets", suite["datasets"], ["own", "[a list of names]"])
        if isinstance(suite["formats"], str) and suite["formats"] not in ("trained", "all"):
            raise unknown(where, "formats", suite["formats"], ["trained", "all", f"[{', '.join(config['formats'])}]"])


def check_shots(where: str, suite: dict[str, Any], config: dict[str, Any]) -> None:
    """Refuse shots before running text, more of them than the pool holds, or without an untouched counterpart."""
    base, pool = config["methods"]["base"]["shots"], config["items"]["shots"]
    if "texts" in suite and ("formats" in suite or suite["shots"] != [0]):
        raise UserError(f"{where}: running text has neither `formats` nor `shots`\nhint: remove them from this suite")
    if "lm_eval" in suite and "formats" in suite:
        raise UserError(f"{where}: a task of lm_eval words its prompts itself\nhint: remove `formats` from this suite")
    if max(base) > pool:
        raise UserError(
            f"methods.base.shots: {max(base)} shots are wanted, but the pool holds {pool}\n"
            "hint: raise `items.shots`, from which shots are drawn"
        )
    for shots in suite["shots"]:
        if shots not in base:
            raise unknown(f"{where}.shots", "number", shots, base)


def check_texts(config: dict[str, Any]) -> None:
    """Refuse a text that comes from nowhere, or from the held-out part of a pre-training that was not done here."""
    for name, text in config["texts"].items():
        if len(text.keys() & {"heldout", "path"}) != 1:
            raise UserError(f"texts.{name}: needs either `heldout: true` or a `path`\nhint: one of the two")
        if "heldout" in text and not all("pretrain" in series for series in config["series"].values()):
            raise UserError(
                f"texts.{name}: `heldout` is the held-out part of a pre-training done here, and not every series has "
                "one\nhint: give a `path` to a text file"
            )


def check_formats(study: Study) -> None:
    """Refuse a format that a task has no template for."""
    for name, task in study.tasks.items():
        for format_ in formats_used(study):
            if format_ not in task.formats:
                raise UserError(
                    f"dataset {name!r} has no template for the format {format_!r}; it has {', '.join(task.formats)}\n"
                    f"hint: add one under `formats` in tasks/{name}.yaml, or leave the format out of the study"
                )


def formats_used(study: Study) -> list[str]:
    """The formats that models are tuned or asked in."""
    suites = [suite["formats"] for suite in study.config["suites"].values() if isinstance(suite.get("formats"), list)]
    return list(dict.fromkeys([*study.config["formats"], *(format_ for formats in suites for format_ in formats)]))


def unknown(where: str, what: str, value: object, choices: Iterable[object]) -> UserError:
    """The error for a name that nothing bears."""
    known = [str(choice) for choice in choices]
    near = hint(value, known, otherwise="config.schema.yaml explains every key")
    return UserError(f"{where}: unknown {what} {value!r}; known are {', '.join(known) or 'none'}\n{near}")


def plan_cells(study: Study) -> list[Cell]:
    """All cells of the study, checkpoint by checkpoint, in the order of the config."""
    return [
        cell
        for series, checkpoints in study.checkpoints.items()
        for checkpoint in checkpoints
        for cell in cells_at(study, series, checkpoint)
    ]


def cells_at(study: Study, series: str, checkpoint: str) -> list[Cell]:
    """The cells of one checkpoint: what it is measured on untouched, then what it is tuned on."""
    config = study.config
    cells = []
    for probe, format_ in base_probes(study):
        seeds = config["seeds"][:1] if format_ in UNSEEDED else config["seeds"]
        cells += [Cell(series, checkpoint, probe, format_, "base", seed) for seed in seeds]
    return cells + [
        Cell(series, checkpoint, dataset, *place)
        for dataset in config["datasets"]
        for place in product(config["formats"], study.recipes, config["seeds"])
        if tunes_on(study, study.recipes[place[1]]["method"], dataset)
    ]


def base_probes(study: Study) -> list[tuple[str, str]]:
    """(probe, format) of everything that any suite measures, so that every tuned number has its untouched one."""
    config = study.config
    pairs: dict[tuple[str, str], None] = {}
    for suite in config["suites"].values():
        for text in suite.get("texts", []):
            pairs[text, TEXT_FORMAT] = None
        for task in suite.get("lm_eval", []):
            pairs[task, HARNESS_FORMAT] = None
        datasets = suite.get("datasets", [])
        names = datasets
        if datasets == "own":
            names = [name for name in datasets_tuned_on(study) if name in suite.get("tuned_on", [name])]
        # "trained" is any format of the study, depending on the cell
        formats = config["formats"] if isinstance(suite.get("formats"), str) else suite.get("formats", [])
        pairs.update(dict.fromkeys(product(names, formats)))
    return list(pairs)


def harness_tasks(study: Study) -> dict[str, list[int]]:
    """The tasks of lm-eval that any suite names, each with its numbers of shots."""
    shots: dict[str, dict[int, None]] = {}
    for suite in study.config["suites"].values():
        for task in suite.get("lm_eval", []):
            shots.setdefault(task, {}).update(dict.fromkeys(suite["shots"]))
    return {task: list(numbers) for task, numbers in shots.items()}


def probes_of(study: Study, cell: Cell) -> list[Probe]:
    """Everything that one cell is measured on, suite by suite."""
    if cell.method == "base":
        if cell.format == TEXT_FORMAT:
            return [Probe("base", cell.dataset, "text", TEXT_FORMAT, 0)]
        if cell.format == HARNESS_FORMAT:
            shots = harness_tasks(study)[cell.dataset]
            return [Probe("base", cell.dataset, "harness", HARNESS_FORMAT, n) for n in shots]
        kind = study.tasks[cell.dataset].kind
        return [Probe("base", cell.dataset, kind, cell.format, n) for n in study.config["methods"]["base"]["shots"]]
    kind, probes = study.tasks[cell.dataset].kind, []
    if study.recipes[cell.method]["is_grid"] or study.config["keep_models"] == "best":
        probes.append(Probe(VALIDATION, cell.dataset, kind, cell.format, 0, split="validation"))
    for name, suite in study.config["suites"].items():
        if cell.dataset not in suite.get("tuned_on", [cell.dataset]):
            continue
        probes += [Probe(name, text, "text", TEXT_FORMAT, 0) for text in suite.get("texts", [])]
        asked = product(suite.get("lm_eval", []), suite["shots"])
        probes += [Probe(name, task, "harness", HARNESS_FORMAT, n) for task, n in asked]
        datasets = suite.get("datasets", [])
        names = [cell.dataset] if datasets == "own" else [d for d in datasets if d != cell.dataset]
        formats = suite.get("formats", [])
        if isinstance(formats, str):
            formats = [cell.format] if formats == "trained" else study.config["formats"]
        probes += [
            Probe(name, dataset, study.tasks[dataset].kind, format_, n)
            for dataset, format_, n in product(names, formats, suite["shots"])
        ]
    return probes


def state_steps(study: Study, series: str) -> list[int]:
    """Steps at which the training state of a pre-training is kept: powers of two up to the last stable step.

    Fixed by the grid and not by the checkpoints, so that a new checkpoint starts from the state before it and changes
    nothing that is finished.
    """
    last = max(stable_step(entry) for entry in study.checkpoints[series].values())
    steps = [0]
    while steps[-1] < last:
        steps.append(max(64, 2 * steps[-1]))
    return [step for step in steps if step <= last]


def stable_step(entry: dict[str, Any]) -> int:
    """Step of the stable run from which a pre-trained checkpoint is made."""
    return entry["anneal_from"] if "anneal_from" in entry else entry["step"]


def state_before(study: Study, series: str, step: int) -> int:
    """The last kept state at or before a step."""
    return max(kept for kept in state_steps(study, series) if kept <= step)
