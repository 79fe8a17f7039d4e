"""Which models of a study read pictures, and what a study with pictures must have."""

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Cell, Study, recipe_on
from ripeness.study.methods.projector import FOLLOWERS
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS
from ripeness.study.study_config import BASE
from ripeness.study.trainings import START, read_before, references, start_of

SCENE_SIZE = 24  # pixels of the side of a drawn scene


def is_seeing(study: Study, recipe: str, dataset: str) -> bool:
    """Tell whether a recipe's model on a dataset has a projector: its own, or that of a model that it starts from."""
    settings = study.recipes[recipe][dataset]
    if KINDS[settings["kind"]].sees:
        return True
    start = next((one for one in references(settings) if one.role == START), None)
    if start is None or start.method not in study.recipes:
        return False
    names = start.datasets or (dataset,)
    return any(is_seeing(study, start.method, name) for name in names if name in study.recipes[start.method])


def cell_sees(study: Study, cell: Cell | None) -> bool:
    """Tell whether the model of a cell has a projector."""
    while cell is not None and cell.method != BASE:
        if KINDS[recipe_on(study, cell.method, cell.dataset)["kind"]].sees:
            return True
        cell = start_of(study, cell)
    return False


def patches_before(study: Study, cell: Cell, dataset: str) -> int:
    """Count the tokens of a picture before prompts of a dataset, of the model of a cell.

    0 where it reads none, and of an encoder from elsewhere, which only its own job knows.
    """
    given = study.settings.pictures
    if not given or "pretrain" not in given or not study.tasks[dataset].image or not cell_sees(study, cell):
        return 0
    return int((SCENE_SIZE // given["pretrain"]["patch_size"]) ** 2)


def check_pictures(study: Study) -> None:
    """Refuse models that read pictures where there are none, shots of questions about pictures, and unfit chains."""
    config = study.settings
    seen = [name for name, task in study.tasks.items() if task.image]
    if seen and max([*config.base_shots, *(n for suite in config.suites.values() for n in suite.shots)]) > 0:
        raise UserError(
            f"datasets.{seen[0]}: questions about pictures have no shots, which would need pictures too\n"
            "hint: shots: [0] for `base` and in all suites"
        )
    for name, task in study.tasks.items():
        if task.view_of and name in config.datasets:
            raise UserError(
                f"datasets.{name}: its items are those of {task.view_of}, and no model is tuned on it\n"
                f"hint: tune on {task.view_of}, and name {name} in a suite"
            )
    for name, on in study.recipes.items():
        for dataset, settings in on.items():
            where = f"methods.{settings['method']}"
            if KINDS[settings["kind"]].sees and not study.tasks[dataset].image:
                raise UserError(
                    f"{where}: kind {settings['kind']} learns from pictures, and {dataset} has none\n"
                    f"hint: datasets: [{', '.join(n for n in config.datasets if study.tasks[n].image) or '...'}]"
                )
            if is_seeing(study, name, dataset):
                check_seeing(study, where, name, dataset)


def check_seeing(study: Study, where: str, recipe: str, dataset: str) -> None:
    """Refuse a study without an encoder, and what cannot be trained with a projector."""
    settings = study.recipes[recipe][dataset]
    if study.settings.pictures is None:
        raise UserError(
            f"{where}: no encoder is given to read pictures\n"
            "hint: pictures: {pretrain: {}} for the nursery, or pictures: {path: FOLDER} of CLIP or SigLIP"
        )
    if study.settings.keep_models == "best":
        raise UserError(
            f"keep_models: the best model of {where} reads pictures, and is not tuned again alone\n"
            "hint: set keep_models to all or none"
        )
    follows = any(is_seeing(study, *before) for before in read_before(study, recipe, dataset))
    if follows and settings["kind"] not in FOLLOWERS:
        raise UserError(
            f"{where}: kind {settings['kind']} does not train the projector of the model that it starts from\n"
            f"hint: kind: {' or '.join(FOLLOWERS)}"
        )
    if (learned := settings.get("learns", ANSWERS)) != ANSWERS:
        raise UserError(
            f"{where}: a model that reads pictures does not learn {learned}\nhint: leave `learns` out, or start from a "
            "model of text"
        )
    if follows and settings.get("gpu", 1) > 1:
        raise UserError(f"{where}: a model with a projector cannot be split over {settings['gpu']} GPUs\nhint: gpu: 1")
