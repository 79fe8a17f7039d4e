"""Say which trainings a study has, and which trained models each of them reads.

A training is named by a cell. Most cells have one of their own, which reads the checkpoint alone. What learns a text is
trained once for all datasets and formats, whose cells measure the one model. With `from` a training starts from the
model of another cell; a kind may read further ones (`Kind.reads`). All of them are cells of the same
series, checkpoint, format and seed, so that a checkpoint that is added runs its own trainings and no others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.grid import TEXT_FORMAT, Cell, Study, plan_cells, recipe_on, recipes_on, says_reward, tuned_series
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS, REWARD_MODEL, TEXT, Reference
from ripeness.study.objectives.register import LEARNED
from ripeness.study.study_config import BASE, Recipe

START = "start"  # the role of the model that a training starts from
MOST_TRAININGS = 3  # one after another


def references(settings: Mapping[str, Any]) -> list[Reference]:
    """Return the methods whose models a training reads, each with its role; none for most."""
    given = settings.get("from")
    found = KINDS[settings["kind"]].reads(settings)
    if (learned := LEARNED.get(settings.get("learns", ""))) is not None:
        found = [*found, *learned.reads(settings)]
    if given is None:
        return found
    given = {"method": given} if isinstance(given, str) else given
    return [Reference(START, given["method"], tuple(filter(None, [given.get("dataset")]))), *found]


def training_of(study: Study, cell: Cell) -> Cell:
    """Return the cell that names the training of a tuned cell's model.

    What learns a text has one training for all datasets and formats. It is named `text` in the place of both.
    """
    if recipe_on(study, cell.method, cell.dataset).get("learns") != TEXT:
        return cell
    return replace(cell, dataset=TEXT_FORMAT, format=TEXT_FORMAT)


def trainings(study: Study) -> list[Cell]:
    """Return all trainings of the study in the order of the plan, each once."""
    return list(dict.fromkeys(training_of(study, cell) for cell in plan_cells(study) if cell.method != BASE))


def cells_read(study: Study, cell: Cell) -> dict[str, list[Cell]]:
    """Return the trainings whose models the training of a cell reads, by the role that they have in it."""
    found: dict[str, list[Cell]] = {}
    if cell.method == BASE:
        return found
    for one in references(recipe_on(study, cell.method, cell.dataset)):
        for dataset in one.datasets or (cell.dataset,):
            other = training_of(study, replace(cell, method=one.method, dataset=dataset))
            found.setdefault(one.role, []).append(other)
    return found


def start_of(study: Study, cell: Cell) -> Cell | None:
    """Return the training whose model that of a cell starts from; None where it is the checkpoint."""
    return next(iter(cells_read(study, cell).get(START, [])), None)


def is_read_by_another(study: Study, cell: Cell) -> bool:
    """Tell whether a training of the study reads the model of a cell."""
    return any(
        one.method == cell.method and cell.dataset in (one.datasets or (dataset,))
        for dataset in study.settings.datasets
        for recipe in recipes_on(study, cell.series, dataset)
        for one in references(study.recipes[recipe][dataset])
    )


def has_small_state(study: Study, cell: Cell) -> bool:
    """Tell whether a tuned cell's model is saved as a small state, next to what it was tuned from."""
    return KINDS[recipe_on(study, cell.method, cell.dataset)["kind"]].has_small_state


def states_of(study: Study, cell: Cell) -> list[Cell]:
    """Return the trainings whose folders the model of a tuned cell is made from, itself first.

    The last one has all weights, or is a small state next to the checkpoint.
    """
    found = [training_of(study, cell)]
    while has_small_state(study, found[-1]) and (start := start_of(study, found[-1])):
        found.append(start)
    return found


def check_trainings(study: Study) -> None:
    """Refuse trainings that read a model which the study does not have, or which no training can read."""
    reading = [
        (name, dataset, one)
        for name, by_dataset in study.recipes.items()
        for dataset, settings in by_dataset.items()
        for one in references(settings)
    ]
    for name, dataset, one in reading:
        check_reference(study, f"methods.{study.recipes[name][dataset]['method']}", dataset, one)
        if one.kind:
            check_part(study, study.recipes[name][dataset], dataset, one)
    for name, dataset, _ in reading:
        check_length(study, name, dataset)
    if reading:
        check_places(study, f"methods.{study.recipes[reading[0][0]][reading[0][1]]['method']}")
    for method, given in study.settings.tuning_methods.items():
        check_text(study, f"methods.{method}", given)


def check_text(study: Study, where: str, settings: Mapping[str, Any]) -> None:
    """Refuse a text that nothing learns, one on which models are measured, or settings that need a dataset."""
    learned, path = settings.get("learns", ANSWERS), settings.get("text")
    if (learned == TEXT) != (path is not None):
        raise UserError(
            f"{where}: `learns: text` and `text`, a file, go together\nhint: give both, or none; "
            "`replay` has a text of its own"
        )
    if path is None:
        return
    for key in ("by_dataset", "examples"):
        if key in settings:
            raise UserError(
                f"{where}.{key}: a text is learned once for all datasets, without their examples\n"
                f"hint: remove `{key}`; `steps` ends a training early"
            )
    for name, text in study.settings.texts.items():
        if text.path and Path(text.path).resolve() == Path(path).resolve():
            raise UserError(
                f"{where}.text: {path} is the text {name!r}, on which models are measured\nhint: give another file"
            )
    for one in references(settings):
        other = next(iter(study.recipes[one.method].values()))
        if other.get("learns") != TEXT or one.datasets:
            raise UserError(
                f"{where}.from: {one.method} has a model for every dataset, but a text is learned once for all\n"
                "hint: start from the checkpoint, or from a method that learns text; or let the other one start from "
                "this one"
            )
    if study.settings.keep_models == "best":
        raise UserError(
            f"keep_models: {where} has one model for all datasets, so no dataset has a best model of its own\n"
            "hint: set keep_models to all or none"
        )


def check_reference(study: Study, where: str, dataset: str, one: Reference) -> None:
    """Refuse a model that is read where it is of no method, of several, of no dataset, or of another series."""
    key = "from" if one.role == START else one.key or one.role
    if one.method == BASE:
        raise UserError(
            f"{where}.{key}: base is the untouched checkpoint, and every method starts from it\nhint: leave the key out"
        )
    if one.method not in study.recipes:
        several = several_of(study, one.method)
        if several:
            raise UserError(
                f"{where}.{key}: {one.method} is {len(several)} methods, and which one is best is "
                "known only after they are "
                f"measured\nhint: name one of them: {', '.join(several)}"
            )
        near = hint(one.method, list(study.recipes), otherwise="name a method of the study that tunes")
        raise UserError(f"{where}.{key}: unknown method {one.method!r}; known are {', '.join(study.recipes)}\n{near}")
    for name in one.datasets or (dataset,):
        if name not in study.settings.datasets:
            near = hint(name, list(study.settings.datasets), otherwise="name a dataset that the study tunes on")
            known = ", ".join(study.settings.datasets)
            raise UserError(f"{where}.{key}: unknown dataset {name!r}; known are {known}\n{near}")
        if name not in study.recipes[one.method]:
            raise UserError(
                f"{where}.{key}: {one.method} does not tune on {name}, but on {', '.join(study.recipes[one.method])}\n"
                f"hint: add {name} to its `datasets`, or name one of these: "
                f"{key}: {{method: {one.method}, dataset: {next(iter(study.recipes[one.method]))}}}"
            )
        settings = study.recipes[one.method][name]
        check_role(f"{where}.{key}", one, settings)
        for series in tuned_series(study):
            own = recipes_on(study, series, name)
            readers = [recipe for recipe in recipes_on(study, series, dataset)
                       if one in references(study.recipes[recipe][dataset])]  # fmt: skip
            if readers and one.method not in own:
                raise UserError(
                    f"{where}.{key}: {one.method} does not tune the series {series}\n"
                    f"hint: add {settings['method']} to series.{series}.methods"
                )


def check_role(where: str, one: Reference, settings: Recipe) -> None:
    """Refuse a model from which no training can start, or that gives no reward where one is needed."""
    if one.role == START and says_reward(settings):
        raise UserError(
            f"{where}: {one.method} is a reward model, which no longer generates words\n"
            "hint: start from the method that it starts from"
        )
    if one.role == REWARD_MODEL and not says_reward(settings):
        raise UserError(
            f"{where}: {one.method} is no reward model\n"
            "hint: name a method with `learns: reward`, or `rule`, the task's own"
        )
    if one.role == START and (reason := KINDS[settings["kind"]].no_start):
        raise UserError(f"{where}: no training starts from a model of kind {settings['kind']}: {reason}")


def check_part(study: Study, settings: Mapping[str, Any], dataset: str, one: Reference) -> None:
    """Refuse models that a training is made of where they are of another kind, or were tuned from another model."""
    where = f"methods.{settings['method']}.{one.role}"
    for name in one.datasets or (dataset,):
        other = study.recipes[one.method][name]
        if other["kind"] != one.kind or other.get("learns") == TEXT:
            what = "learns a text" if other["kind"] == one.kind else f"is of kind {other['kind']}"
            raise UserError(f"{where}: {one.method} {what}\nhint: name a method of kind {one.kind} that learns answers")
        if base_of(study, other, name) != base_of(study, settings, dataset):
            raise UserError(
                f"{where}: {one.method} on {name} does not start from the model that {settings['method']} on {dataset} "
                "starts from\nhint: the same `from` for both, of one dataset, or none"
            )


def base_of(study: Study, settings: Mapping[str, Any], dataset: str) -> tuple[str, str] | None:
    """Return the method and the dataset of the model that a training on a dataset starts from; None: the checkpoint.

    What learns a text has one model for all datasets.
    """
    start = next((one for one in references(settings) if one.role == START), None)
    if start is None:
        return None
    is_text = any(on.get("learns") == TEXT for on in study.recipes.get(start.method, {}).values())
    return start.method, TEXT_FORMAT if is_text else next(iter(start.datasets), dataset)


def several_of(study: Study, method: str) -> list[str]:
    """Return the recipes of a method that has several rates or doses, which itself is none."""
    return [
        name
        for name, by_dataset in study.recipes.items()
        if any(method in (on["method"], on.get("doses_of")) for on in by_dataset.values())
    ]


def check_length(study: Study, name: str, dataset: str) -> None:
    """Refuse a training that reads its own model, or comes after too many others."""
    chains = [[(name, dataset)]]
    while chains:
        chain = chains.pop()
        for follower in read_before(study, *chain[-1]):
            where = f"methods.{study.recipes[name][dataset]['method']}"
            names = " from ".join(method for method, _ in [*chain, follower])
            if follower in chain:
                raise UserError(f"{where}: it starts from itself: {names}\nhint: leave `from` out of one of them")
            if len(chain) == MOST_TRAININGS:
                raise UserError(
                    f"{where}: more than {MOST_TRAININGS} trainings one after another: {names}\n"
                    "hint: leave one out, or export a model and use it as a checkpoint of a series"
                )
            chains.append([*chain, follower])


def longest_chain(study: Study) -> int:
    """Return the most trainings that come one after another."""
    return max(
        (trainings_before(study, name, dataset) for name, on in study.recipes.items() for dataset in on), default=0
    )


def trainings_before(study: Study, name: str, dataset: str) -> int:
    """Return how many trainings come one after another until a recipe's own on a dataset has ended."""
    return 1 + max((trainings_before(study, *other) for other in read_before(study, name, dataset)), default=0)


def read_before(study: Study, name: str, dataset: str) -> Iterator[tuple[str, str]]:
    """Yield (recipe, dataset) of the models that a recipe reads on a dataset."""
    for one in references(study.recipes[name][dataset]):
        for other in one.datasets or (dataset,):
            yield one.method, other


def check_places(study: Study, where: str) -> None:
    """Refuse to keep the best model of trainings that read others, or to have models on the scratch of a node."""
    if study.settings.scratch:
        raise UserError(
            f"scratch: {where} reads the model of another cell, which another node may have tuned\n"
            "hint: remove `scratch` from the profile; models then lie in the study's folder"
        )
    if study.settings.keep_models == "best":
        raise UserError(
            f"keep_models: the best model of {where} cannot be tuned again alone, since it starts from another cell's\n"
            "hint: set keep_models to all or none"
        )
