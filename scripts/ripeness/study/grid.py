"""Plan the grid of a study: its cells, and what each of them is measured on.

Pure Python over the study's config, its task and series files and the lock file: nothing is downloaded, no model is
touched, and neither torch nor polars is imported, since every job of a cluster parses the Snakefile again.
"""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.annealed_twins import is_twin
from ripeness.study.methods.register import KINDS
from ripeness.study.objectives.register import LEARNED
from ripeness.study.pretraining_steps import kept_steps
from ripeness.study.study_config import Checkpoint, Pretrain, Recipe, Sensitivity, StudyConfig, typed_config
from ripeness.study.tasks import Task

TEXT_FORMAT = "text"  # the "format" of running text, which has none
HARNESS_FORMAT = "lm_eval"  # the "format" of a task of lm-evaluation-harness, which words it
UNSEEDED = (TEXT_FORMAT, HARNESS_FORMAT)  # no seed of the study draws their shots
VIEWS = "other pictures"  # the suite of other pictures, or a part, of what a model was tuned on; no config names it so
VALIDATION = "validation"  # the suite on which learning rates, and models to keep, are chosen


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
        """Return the cell's folder below results/<study>/cells; the pathvar `cell` in the Snakefile says the same."""
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
    a list of them. It has settings for every dataset that it tunes on.
    """

    config: dict[str, Any]  # as it is written down, with defaults
    tasks: dict[str, Task]
    checkpoints: dict[str, dict[str, Checkpoint]]
    recipes: dict[str, dict[str, Recipe]]  # recipe -> dataset -> settings
    lock: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # see ripeness.study.lock_file
    settings: StudyConfig = field(init=False, compare=False)  # the config as code reads it

    def __post_init__(self) -> None:
        """Type the config."""
        object.__setattr__(self, "settings", typed_config(self.config))


def methods_of(study: Study, series: str) -> list[str]:
    """Return the methods that tune a series: all of the study but `base` where it does not list its own."""
    own = study.settings.series[series].methods
    return list(study.settings.tuning_methods) if own is None else own


def tunes_on(study: Study, series: str, method: str, dataset: str) -> bool:
    """Tell whether a method tunes a series on a dataset."""
    return method in methods_of(study, series) and dataset in study.settings.methods[method].get("datasets", [dataset])


def recipes_on(study: Study, series: str, dataset: str) -> list[str]:
    """Return the recipes that tune a series on a dataset."""
    methods = methods_of(study, series)
    return [name for name, on in study.recipes.items() if dataset in on and on[dataset]["method"] in methods]


def recipe_on(study: Study, recipe: str, dataset: str) -> Recipe:
    """Return a recipe's settings on a dataset.

    Raises UserError if it does not tune on it, for a file that a user requests. What learns a text has the same
    settings on all.
    """
    first = next(iter(study.recipes[recipe].values()))
    if dataset == TEXT_FORMAT and first.get("learns") == TEXT_FORMAT:
        return first
    if dataset not in study.recipes[recipe]:
        raise UserError(
            f"{recipe} does not tune on {dataset}, but on {', '.join(study.recipes[recipe])}\n"
            f"hint: request one of these, or add {dataset} to the `datasets` of the method"
        )
    return study.recipes[recipe][dataset]


def datasets_tuned_on(study: Study) -> list[str]:
    """Return the datasets that any method tunes any series on; others of the study are measured only."""
    pairs = list(product(study.checkpoints, study.settings.methods))
    return [
        name
        for name in study.settings.datasets
        if any(tunes_on(study, series, method, name) for series, method in pairs)
    ]


def formats_used(study: Study) -> list[str]:
    """List the formats that models are tuned or measured in."""
    suites = [suite.formats for suite in study.settings.suites.values() if isinstance(suite.formats, list)]
    return list(dict.fromkeys([*study.settings.formats, *(format_ for formats in suites for format_ in formats)]))


def plan_cells(study: Study) -> list[Cell]:
    """Return all cells of the study, checkpoint by checkpoint, in the order of the config."""
    return [
        cell
        for series, checkpoints in study.checkpoints.items()
        for checkpoint in checkpoints
        for cell in cells_at(study, series, checkpoint)
    ]


def cells_at(study: Study, series: str, checkpoint: str) -> list[Cell]:
    """Return the cells of one checkpoint: what it is measured on untouched, then what it is tuned on.

    A seed draws the shots of an untouched model and nothing else: without shots only the first seed is measured.
    """
    config = study.settings
    cells = []
    for probe, format_ in probes_asked(study, series):
        is_drawn = format_ not in UNSEEDED and max(config.base_shots) > 0
        seeds = config.seeds if is_drawn else config.seeds[:1]
        cells += [Cell(series, checkpoint, probe, format_, "base", seed) for seed in seeds]
    return cells + tuned_cells(study, series, checkpoint)


def tuned_cells(study: Study, series: str, checkpoint: str) -> list[Cell]:
    """List the tuned cells of a checkpoint."""
    config = study.settings
    return [
        Cell(series, checkpoint, dataset, *place)
        for dataset in config.datasets
        for place in product(config.formats, recipes_on(study, series, dataset), config.seeds)
    ]


def probes_asked(study: Study, series: str) -> list[tuple[str, str]]:
    """List (probe, format) of everything that an untouched checkpoint of a series is measured on.

    Of a series that only some methods tune, what their models are measured on; nothing where none does.
    """
    pairs = base_probes(study)
    if {"base", *methods_of(study, series)} == set(study.settings.methods):
        return pairs
    probes = [probe for cell in tuned_cells(study, series, "") for probe in probes_of(study, cell)]
    asked = {(probe.probe, probe.format) for probe in probes if probe.suite != VALIDATION}
    return [pair for pair in pairs if pair in asked]


def tuned_series(study: Study) -> list[str]:
    """Return the series that have cells; others are perturbed only."""
    return [series for series in study.checkpoints if methods_of(study, series)]


def base_probes(study: Study) -> list[tuple[str, str]]:
    """List (probe, format) of everything in any suite, so that every tuned number has its untouched baseline."""
    config = study.settings
    pairs: dict[tuple[str, str], None] = {}
    for suite in config.suites.values():
        for text in suite.texts or []:
            pairs[text, TEXT_FORMAT] = None
        for task in suite.lm_eval or []:
            pairs[task, HARNESS_FORMAT] = None
        names = suite.datasets or []
        if names == "own":
            names = [name for name in datasets_tuned_on(study) if suite.tuned_on is None or name in suite.tuned_on]
        names = [name for name in names if not study.tasks[name].view_of]  # which it reads as those of the task itself
        # "trained" is any format of the study, depending on the cell
        formats = config.formats if isinstance(suite.formats, str) else suite.formats or []
        pairs.update(dict.fromkeys(product(names, formats)))
    return list(pairs)


def harness_tasks(study: Study) -> dict[str, list[int]]:
    """Return the tasks of lm-eval that any suite names, each with its numbers of shots."""
    shots: dict[str, dict[int, None]] = {}
    for suite in study.settings.suites.values():
        for task in suite.lm_eval or []:
            shots.setdefault(task, {}).update(dict.fromkeys(suite.shots))
    return {task: list(numbers) for task, numbers in shots.items()}


def probes_of(study: Study, cell: Cell) -> list[Probe]:
    """List everything that one cell is measured on, suite by suite.

    A model that stays the checkpoint, and chooses among the labels of its own dataset, is asked nothing else.
    """
    if cell.method == "base":
        return untouched_probes(study, cell)
    kind, recipe = study.tasks[cell.dataset].kind, recipe_on(study, cell.method, cell.dataset)
    probes = [probe for name in study.settings.suites for probe in suite_probes(study, cell, name, recipe)]
    if KINDS[recipe["kind"]].leaves_model(recipe):
        probes = [probe for probe in probes if (probe.probe, probe.kind) == (cell.dataset, "choice")]
    if says_reward(recipe):
        probes = [probe for probe in probes if probe.probe == cell.dataset]
    # by validation items rates, the models that are kept and the ripe checkpoint are chosen
    is_chosen = recipe["is_grid"] or study.settings.keep_models == "best"
    if is_chosen or any((probe.probe, probe.format) == (cell.dataset, cell.format) for probe in probes):
        probes.insert(0, Probe(VALIDATION, cell.dataset, kind, cell.format, 0, split="validation"))
    return probes


def untouched_probes(study: Study, cell: Cell) -> list[Probe]:
    """List what an untouched checkpoint is measured on."""
    if cell.format == TEXT_FORMAT:
        return [Probe("base", cell.dataset, "text", TEXT_FORMAT, 0)]
    if cell.format == HARNESS_FORMAT:
        shots = harness_tasks(study)[cell.dataset]
        return [Probe("base", cell.dataset, "harness", HARNESS_FORMAT, n) for n in shots]
    kind, is_first = study.tasks[cell.dataset].kind, cell.seed == study.settings.seeds[0]
    shots = [n for n in study.settings.base_shots if n or is_first]
    return [Probe("base", cell.dataset, kind, cell.format, n) for n in shots]


def suite_probes(study: Study, cell: Cell, name: str, recipe: Recipe) -> list[Probe]:
    """List what a suite measures of a tuned model."""
    suite = study.settings.suites[name]
    if suite.tuned_on is not None and cell.dataset not in suite.tuned_on:
        return []
    probes = [Probe(name, text, "text", TEXT_FORMAT, 0) for text in suite.texts or []]
    tasks = product(suite.lm_eval or [], suite.shots)
    probes += [Probe(name, task, "harness", HARNESS_FORMAT, n) for task, n in tasks]
    datasets = suite.datasets or []
    names = [cell.dataset] if datasets == "own" else [d for d in datasets if d != cell.dataset]
    if datasets != "own" and recipe.get("learns") == TEXT_FORMAT:
        return probes  # it was tuned on no dataset, from which anything could be carried over
    formats = suite.formats or []
    if isinstance(formats, str):
        formats = [cell.format] if formats == "trained" else study.settings.formats
    names = [other for other in names if study.tasks[other].view_of in (None, cell.dataset)]
    return probes + [
        Probe(VIEWS if study.tasks[dataset].view_of else name, dataset, study.tasks[dataset].kind, format_, n)
        for dataset, format_, n in product(names, formats, suite.shots)
    ]


def says_reward(recipe: Recipe) -> bool:
    """Tell whether a recipe's models say a reward in place of words."""
    learned = LEARNED.get(recipe.get("learns", ""))
    return learned is not None and learned.has_reward


def perturbed_series(study: Study) -> list[str]:
    """Return the series whose checkpoints are perturbed."""
    settings = study.settings.sensitivity
    if settings is None:
        return []
    return list(study.checkpoints) if settings.series is None else settings.series


def sensitivity_of(study: Study) -> Sensitivity:
    """Give the settings of a study that perturbs weights."""
    if study.settings.sensitivity is None:
        raise ValueError("nothing is perturbed in this study")
    return study.settings.sensitivity


def pretraining_of(study: Study, series: str) -> Pretrain:
    """Give the pre-training of a series that is pre-trained here."""
    design = study.settings.series[series].pretrain
    if design is None:
        raise ValueError(f"{series} is not pre-trained here")
    return design


def state_steps(study: Study, series: str) -> list[int]:
    """List the steps at which the training state is kept; none if every checkpoint has a run of its own."""
    own = [entry for entry in study.checkpoints[series].values() if not is_twin(entry)]
    return kept_steps(pretraining_of(study, series), own)


def state_before(study: Study, series: str, step: int) -> int:
    """Return the last kept state at or before a step."""
    return max(kept for kept in state_steps(study, series) if kept <= step)
