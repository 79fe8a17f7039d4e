"""Rule inputs and parameters for rules/train.smk."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ripeness.study.doses import with_fixed_steps
from ripeness.study.grid import Cell, Study, recipe_on
from ripeness.study.methods.fusion import OF
from ripeness.study.methods.reading import on_dataset
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import REWARD_MODEL, RULE, TEXT
from ripeness.study.objectives.goal import draws_pairs, draws_texts, ranked_by
from ripeness.study.objectives.register import LEARNED
from ripeness.study.scoring.metrics import GENERATION
from ripeness.study.trainings import cells_read, has_small_state, start_of, states_of
from ripeness.workflow.lookups.shared import corpus_folder, made_for, results, text_file, to_json
from ripeness.workflow.wildcards import cell_of

# Of a method's settings, what a training depends on not at all, or by its inputs.
APART = ("gpu", "datasets", "choose_by", "from", "doses_of", "text")


def training_settings(study: Study, wildcards: Any) -> Mapping[str, Any]:
    """Return settings of the method of a training: that of a cell, or of the best model that is tuned again."""
    if hasattr(wildcards, "tuning"):
        return with_fixed_steps(on_dataset(study.settings.methods[wildcards.tuning], wildcards.dataset))
    return recipe_on(study, wildcards.method, wildcards.dataset)


def method_settings(study: Study, wildcards: Any) -> str:
    """Return the recipe of a cell, with its seed."""
    recipe = {**recipe_on(study, wildcards.method, wildcards.dataset), "seed": int(wildcards.seed)}
    return to_json(nameless(of_training(recipe, "method", "is_grid")))


def nameless(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings without the names of methods and datasets whose models are inputs: renaming reruns nothing."""
    if draws_texts(settings) and ranked_by(settings) != RULE:
        settings = settings | {"pairs" if draws_pairs(settings) else "reward": "model"}
    if OF in settings:
        numbers = [str(number) for number, _ in enumerate(settings[OF]["datasets"], 1)]
        settings = settings | {OF: {"method": "adapters", "datasets": numbers}}
    return settings


def modules_of(kind: str) -> list[str]:
    """Return the modules that decide what a kind of tuning does to a model, below scripts/."""
    return [f"ripeness/models/methods/{kind}.py"]


def modules_of_states(study: Study, cells: Iterable[Cell]) -> list[str]:
    """Return the modules of the kinds of small states, which loading them needs."""
    kinds = [recipe_on(study, cell.method, cell.dataset)["kind"] for cell in cells if has_small_state(study, cell)]
    return list(dict.fromkeys(module for kind in kinds for module in modules_of(kind)))


def kind_modules(study: Study, wildcards: Any) -> list[str]:
    """Return the modules of the kind of a training, of what it learns, and of the kinds whose models it reads."""
    settings = training_settings(study, wildcards)
    own = modules_of(settings["kind"])
    if (learned := settings.get("learns")) in LEARNED:
        own.append(f"ripeness/train/objectives/{learned}.py")
    if hasattr(wildcards, "tuning"):
        return own
    read = [state for cell in all_read(study, wildcards) for state in states_of(study, cell)]
    return list(dict.fromkeys([*own, *modules_of_states(study, read)]))


def all_read(study: Study, wildcards: Any) -> list[Cell]:
    """Return the trainings whose models a training reads, in any role."""
    return [cell for cells in cells_read(study, cell_of(wildcards)).values() for cell in cells]


def folder_of(study: Study, cell: Cell) -> str:
    """Return the folder of a training."""
    return f"{results(study)}/cells/{cell.path}"


def examples_read(study: Study, wildcards: Any) -> list[str]:
    """Return the folder with the examples of a training; none where it learns a text."""
    if text_learned(study, wildcards):
        return []
    return [examples_folder(study, wildcards)]


def examples_folder(study: Study, wildcards: Any) -> str:
    """Return the folder with the examples of a training that learns from a dataset."""
    return f"{results(study)}/examples/{wildcards.dataset}/{wildcards.format}"


def text_learned(study: Study, wildcards: Any) -> list[str]:
    """Return the file that a training learns, if it learns a text."""
    settings = training_settings(study, wildcards)
    return [settings["text"]] if settings.get("learns") == TEXT else []


def start_model(study: Study, wildcards: Any) -> list[str]:
    """Return the model that a training starts from, if it is another cell's."""
    return [f"{folder_of(study, cell)}/model" for cell in filter(None, [start_of(study, cell_of(wildcards))])]


def start_record(study: Study, wildcards: Any) -> list[str]:
    """Return the record of that model's training, which may have diverged."""
    return [f"{folder_of(study, cell)}/training.json" for cell in filter(None, [start_of(study, cell_of(wildcards))])]


def fused_models(study: Study, wildcards: Any) -> list[str]:
    """Return the models with the adapters that a training fuses; none for most methods."""
    return [f"{folder_of(study, cell)}/model" for cell in cells_read(study, cell_of(wildcards)).get(OF, [])]


def reward_model(study: Study, wildcards: Any) -> list[str]:
    """Return the model that rewards the texts of a policy, if that is not a rule; none for most methods."""
    return [f"{folder_of(study, cell)}/model" for cell in cells_read(study, cell_of(wildcards)).get(REWARD_MODEL, [])]


def reward_record(study: Study, wildcards: Any) -> list[str]:
    """Return the record of that model's training, which may have diverged."""
    cells = cells_read(study, cell_of(wildcards)).get(REWARD_MODEL, [])
    return [f"{folder_of(study, cell)}/training.json" for cell in cells]


def policy_option(study: Study, wildcards: Any) -> str:
    """Return the options that say how drawn texts end and are rewarded, and where a policy is measured at its end."""
    settings = training_settings(study, wildcards)
    if not draws_texts(settings):
        return ""
    task = study.tasks[wildcards.dataset]
    rule: dict[str, Any] = {"max_new_tokens": task.max_new_tokens, "stop": task.stop}
    if task.reward:
        rule["patterns"] = [[one["find"], one["worth"]] for one in task.reward]
    elif task.kind == GENERATION:
        rule |= {"metric": task.metric, "words": task.rouge_words}
        rule |= {"extract": task.extract} if task.extract else {}
    option = f"--rule {shlex.quote(to_json(rule))}"
    if hasattr(wildcards, "tuning") or draws_pairs(settings):  # it was measured before it was chosen, or is by a suite
        return option
    return f"{option} --held-out {shlex.quote(f'{examples_folder(study, wildcards)}/test.parquet')}"


def read_states(study: Study, wildcards: Any) -> list[str]:
    """Return further folders from which the models that a training reads are made: those that small states refer to."""
    found = [state for cell in all_read(study, wildcards) for state in states_of(study, cell)[1:]]
    return [f"{folder_of(study, cell)}/model" for cell in dict.fromkeys(found)]


def modules_of_full(study: Study, wildcards: Any) -> list[str]:
    """Return the modules of the kind by which checkpoints are annealed."""
    return modules_of("full")


def of_training(settings: Mapping[str, Any], *others: str) -> dict[str, Any]:
    """Those of a method's settings that a training depends on, without `others`; of replay the share, not the file.

    A kind that takes no steps has none of the defaults that the config is filled with.
    """
    kept = {key: value for key, value in settings.items() if key not in (*others, *APART)}
    if not (kind := KINDS[settings["kind"]]).takes_steps:
        names = {field.name for field in fields(kind.settings)}
        return {key: value for key, value in kept.items() if key in names}
    return kept | ({"replay": kept["replay"]["share"]} if "replay" in kept else {})


def replay_file(study: Study, wildcards: Any) -> str | None:
    """Return the text that a training reads again: the tokens that its series learned from, or a file."""
    replay = training_settings(study, wildcards).get("replay")
    if replay is None:
        return None
    is_corpus = study.settings.series[wildcards.series].pretrain is not None
    return f"{corpus_folder(study, wildcards.series)}/train.npy" if is_corpus else replay["text"]


def replay_inputs(study: Study, wildcards: Any) -> list[str]:
    """Return the folder or file of the text that is replayed; none for most methods."""
    path = replay_file(study, wildcards)
    return [] if path is None else [path.removesuffix("/train.npy")]


def replay_option(study: Study, wildcards: Any) -> str:
    """Return the option that names the text that is replayed; nothing for most methods."""
    path = replay_file(study, wildcards)
    return "" if path is None else f"--replay-text {shlex.quote(path)}"


def validation_option(study: Study, wildcards: Any) -> str:
    """Return the option that names validation items, for a kind that chooses among fits on them; most have none."""
    if KINDS[training_settings(study, wildcards)["kind"]].takes_steps:
        return ""
    folder = f"examples/{wildcards.dataset}/{getattr(wildcards, 'format', '')}"
    if hasattr(wildcards, "tuning"):
        folder = f"best/{wildcards.series}/{wildcards.checkpoint}/{wildcards.dataset}/{wildcards.tuning}/choice"
    return f"--validation {shlex.quote(f'{results(study)}/{folder}/validation.parquet')}"


def items_options(study: Study, wildcards: Any) -> str:
    """Return the options about items besides those that are learned; most methods have none."""
    return validation_option(study, wildcards) or policy_option(study, wildcards)


def curvature_file(study: Study, wildcards: Any) -> str | None:
    """Return the first text if the study measures the curvature along a training's displacement, where there is one."""
    recipe = training_settings(study, wildcards)
    if not KINDS[recipe["kind"]].moves_weights(recipe):
        return None
    settings = study.config.get("sensitivity") or {}
    return text_file(study, wildcards.series, settings["texts"][0]) if settings.get("curvature") else None


def curvature_inputs(study: Study, wildcards: Any) -> list[str]:
    """Return the folder or file of that text."""
    path = curvature_file(study, wildcards)
    return [] if path is None else made_for(study, [path])


def curvature_option(study: Study, wildcards: Any) -> str:
    """Return the option that names that text; nothing for most studies."""
    path = curvature_file(study, wildcards)
    return "" if path is None else f"--curvature-text {shlex.quote(path)}"
