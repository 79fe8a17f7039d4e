"""Load a study: check its config against everything that it names, in the order of the config."""

from collections.abc import Iterable
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any, cast

from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.annealed_twins import check_texts_apart
from ripeness.study.audit_checks import check_acknowledged
from ripeness.study.doses import check_doses, check_taught, with_doses, with_fixed_steps
from ripeness.study.grid import VALIDATION, Study, formats_used, plan_cells
from ripeness.study.lock_file import LOCK_FILE, read_lock
from ripeness.study.methods.label_words import check_label_words
from ripeness.study.methods.reading import check_method, on_dataset
from ripeness.study.methods.replay import check_replay
from ripeness.study.objectives.datasets import check_learned
from ripeness.study.own_claims import check_own_claims
from ripeness.study.pictures import check_pictures
from ripeness.study.schema import check_config
from ripeness.study.series import name_checkpoints
from ripeness.study.study_config import MODELS, Checkpoint, Recipe, StudyConfig, Suite, kind_of
from ripeness.study.tasks import load_task
from ripeness.study.theory_settings import settings_from
from ripeness.study.trainings import check_trainings

KINDS = ("datasets", "texts", "lm_eval")  # what a suite may list
# What a study of published numbers or of the theory has instead of models: no cell is planned and no model is run.
NOTHING_RUNS = {
    "series": {}, "datasets": {}, "formats": [], "methods": {"base": {"shots": [0]}}, "seeds": [], "suites": {},
    "items": {},
}  # fmt: skip


def load_study(config: dict[str, Any], task_folder: Path, lock_file: Path = LOCK_FILE) -> Study:
    """Check a config and everything that it names. Raises UserError for the first thing wrong."""
    config = check_config(config)
    check_acknowledged(config["audit"]["acknowledge"])
    if "theory" in config:
        settings_from(config["theory"])
    if kind_of(config) != MODELS:
        study = Study(config | deepcopy(NOTHING_RUNS), {}, {}, {})
        check_own_claims(study)
        check_taught(study)
        return study
    config = with_doses(config)
    names = list(config["datasets"])
    for suite in config["suites"].values():
        names += [name for name in suite.get("datasets", []) if isinstance(suite["datasets"], list)]
    tasks = {
        name: load_task(name, task_folder, overrides=config["datasets"].get(name) or {})
        for name in dict.fromkeys(names)
    }
    lock = read_lock(lock_file)
    checkpoints = {name: name_checkpoints(name, settings, lock) for name, settings in config["series"].items()}
    recipes = name_recipes(config["methods"], config["datasets"])
    study = Study(
        config,
        tasks,
        cast(dict[str, dict[str, Checkpoint]], checkpoints),  # checked by now
        cast(dict[str, dict[str, Recipe]], recipes),
        lock,
    )
    check_study(study)
    return study


def check_study(study: Study) -> None:
    """Refuse a study whose parts do not go together."""
    check_methods(study)
    check_doses(study)
    check_trainings(study)
    check_pictures(study)
    check_suites(study)
    check_texts(study.settings)
    check_texts_apart(study.settings, cast(dict[str, dict[str, Any]], study.checkpoints))
    check_sensitivity(study.settings)
    check_formats(study)
    check_own_claims(study)
    check_taught(study)
    if study.settings.scratch and study.settings.keep_models == "all":
        raise UserError(
            f"scratch: {study.settings.scratch!r} is cleared once a model is measured, but keep_models is 'all'\n"
            "hint: remove `scratch` from the profile, or set keep_models: best"
        )
    if not any(cell.method != "base" for cell in plan_cells(study)):
        raise UserError(
            "the study has no cell to train: it needs at least one dataset and one method in addition to `base`\n"
            "hint: add a line under `datasets` and one under `methods`; a series lists its own `methods`, or uses all"
        )


def name_recipes(methods: dict[str, dict[str, Any]], datasets: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Expand every method but `base` with each of its learning rates, on every dataset that it tunes on.

    `method` names the method in the recipe.
    """
    recipes: dict[str, dict[str, dict[str, Any]]] = {}
    tuning = [(name, settings) for name, settings in methods.items() if name != "base"]
    for (method, settings), dataset in product(tuning, datasets):
        if dataset not in settings.get("datasets", [dataset]):
            continue
        settings = with_fixed_steps(on_dataset(settings, dataset))
        rates = settings.get("learning_rate")  # which a kind that takes no steps has not
        rates = rates if isinstance(rates, list) else [rates]
        is_grid = len(rates) > 1  # a list of one rate leaves nothing to choose
        for rate in rates:
            name = f"{method}-lr{rate:g}" if is_grid else method
            others = {on["method"] for on in recipes.get(name, {}).values()} - {method}
            if others or dataset in recipes.get(name, {}) or name in methods.keys() - {method}:
                raise UserError(
                    f"methods.{method}.learning_rate: {rate} makes a second method named {name!r}\n"
                    "hint: rename one of the methods, or give rates that differ in their first six digits"
                )
            more = ({} if rate is None else {"learning_rate": rate}) | {"method": method, "is_grid": is_grid}
            recipes.setdefault(name, {})[dataset] = settings | more
    return recipes


def check_methods(study: Study) -> None:
    """Refuse methods that tune on what is no dataset of the study, and series that name what is none of its methods."""
    for method, settings in study.settings.methods.items():
        named = {"datasets": settings.get("datasets", []), "by_dataset": list(settings.get("by_dataset", {}))}
        for key, dataset in [(key, dataset) for key, datasets in named.items() for dataset in datasets]:
            if dataset not in study.settings.datasets:
                raise unknown(f"methods.{method}.{key}", "dataset", dataset, study.settings.datasets)
        if method != "base":
            check_method(f"methods.{method}", settings)
            check_replay(study, method)
            check_label_words(study, method)
            check_learned(study, method)
    tuning = list(study.settings.tuning_methods)
    for series, given in study.settings.series.items():
        for method in given.methods or []:
            if method not in tuning:
                raise unknown(f"series.{series}.methods", "method", method, tuning)


def check_suites(study: Study) -> None:
    """Refuse suites that name what the study does not have."""
    config = study.settings
    for name, suite in config.suites.items():
        where = f"suites.{name}"
        if sum(getattr(suite, kind) is not None for kind in KINDS) != 1:
            kinds = ", ".join(f"`{kind}`" for kind in KINDS)
            raise UserError(f"{where}: a suite has exactly one of {kinds}\nhint: write one suite for each")
        if name in ("base", VALIDATION):
            raise UserError(f"{where}: the name {name!r} is reserved\nhint: give the suite another name")
        check_shots(where, suite, config)
        for text in suite.texts or []:
            if text not in config.texts:
                raise unknown(where, "text", text, config.texts)
        for dataset in suite.tuned_on or []:
            if dataset not in config.datasets:
                raise unknown(f"{where}.tuned_on", "dataset", dataset, config.datasets)
        if suite.datasets is None:
            continue
        if suite.formats is None:
            raise UserError(f"{where}: `formats` is missing\nhint: trained, all, or a list such as [default]")
        if isinstance(suite.datasets, str) and suite.datasets != "own":
            raise unknown(where, "datasets", suite.datasets, ["own", "[a list of names]"])
        if isinstance(suite.formats, str) and suite.formats not in ("trained", "all"):
            raise unknown(where, "formats", suite.formats, ["trained", "all", f"[{', '.join(config.formats)}]"])


def check_shots(where: str, suite: Suite, config: StudyConfig) -> None:
    """Refuse shots before running text, more shots than the pool has, or shots without an untouched baseline."""
    base, pool = config.base_shots, config.items.shots
    if suite.texts is not None and (suite.formats is not None or list(suite.shots) != [0]):
        raise UserError(f"{where}: running text has no `formats` or `shots`\nhint: remove them from this suite")
    if suite.lm_eval is not None and suite.formats is not None:
        raise UserError(f"{where}: a task of lm_eval has its own prompts\nhint: remove `formats` from this suite")
    if max(base) > pool:
        raise UserError(
            f"methods.base.shots: {max(base)} shots requested, but the pool has only {pool}\n"
            "hint: raise `items.shots`, from which shots are drawn"
        )
    for shots in suite.shots:
        if shots not in base:
            raise unknown(f"{where}.shots", "number", shots, base)


def check_texts(config: StudyConfig) -> None:
    """Refuse a text without exactly one source, or held out from a pre-training that was not done here."""
    for name, text in config.texts.items():
        if sum((text.heldout, text.path is not None, text.hub is not None)) != 1:
            raise UserError(
                f"texts.{name}: exactly one of `heldout: true`, `path` and `hub` is needed\nhint: keep just one"
            )
        if text.heldout and not all(series.pretrain for series in config.series.values()):
            raise UserError(
                f"texts.{name}: `heldout` is the held-out part of a pre-training done here, and not every series has "
                "one\nhint: give a `path` to a text file, or a dataset of the `hub`"
            )


def check_sensitivity(config: StudyConfig) -> None:
    """Refuse a perturbation of what the study does not have, or none at all."""
    settings = config.sensitivity
    if settings is None:
        return
    for text in settings.texts:
        if text not in config.texts:
            raise unknown("sensitivity.texts", "text", text, config.texts)
    for series in settings.series or []:
        if series not in config.series:
            raise unknown("sensitivity.series", "series", series, config.series)
    shared = [name for name, method in config.methods.items() if method.get("gpu", 1) > 1]
    if settings.curvature and shared:
        raise UserError(
            f"sensitivity.curvature: it is measured on one GPU, but {', '.join(shared)} uses several for a model\n"
            "hint: gpu: 1 for the methods, or curvature: false"
        )
    noise = settings.noise
    if not (noise.init or noise.relative or noise.absolute or settings.bits):
        raise UserError(
            "sensitivity: neither `noise` nor `bits` is given\n"
            "hint: e.g. noise: {init: [0.1]}, or remove the key `sensitivity`"
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


def unknown(where: str, what: str, value: object, choices: Iterable[object]) -> UserError:
    """Make the error for a name that nothing bears."""
    known = [str(choice) for choice in choices]
    near = hint(value, known, otherwise="config.schema.yaml explains every key")
    return UserError(f"{where}: unknown {what} {value!r}; known are {', '.join(known) or 'none'}\n{near}")
