"""Check the datasets from which preferences, or whatever else is learned, are learned, and that models are asked."""

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study, probes_of, tuned_cells
from ripeness.study.methods.settings import PREFERENCES
from ripeness.study.objectives.goal import draws_pairs
from ripeness.study.objectives.reading import check_goal
from ripeness.study.objectives.register import LEARNED

DRAWN = "texts that are drawn and ranked (`pairs`): a task of kind generation or preference"


def check_learned(study: Study, method: str) -> None:
    """Refuse settings of what a method learns, datasets that have nothing of it, and models that no suite asks."""
    settings = study.settings.methods[method]
    where, name = f"methods.{method}", settings.get("learns", "")
    check_goal(where, settings)
    learned = LEARNED.get(name)
    if learned is None:
        return
    tuned = settings.get("datasets", list(study.settings.datasets))
    fit = [one for one in study.settings.datasets if study.tasks[one].kind in learned.kinds_for(settings)]
    if odd := [one for one in tuned if one not in fit]:
        needs = DRAWN if draws_pairs(settings) else learned.needs
        way = f"datasets: [{', '.join(fit)}] for this method" if fit else "add a dataset of such a kind"
        raise UserError(
            f"{where}: learns {name} needs {needs}; {odd[0]} is of kind {study.tasks[odd[0]].kind}\nhint: {way}"
        )
    if name == PREFERENCES and settings.get("choose_by") == "loss":
        raise UserError(
            f"{where}.choose_by: the loss of the better answer may rise while the model learns to prefer it\n"
            "hint: set choose_by to score, the share of validation pairs that are preferred, or leave the key out"
        )
    recipes = [one for one, on in study.recipes.items() if any(each["method"] == method for each in on.values())]
    for cell in (cell for series in study.checkpoints for cell in tuned_cells(study, series, "")):
        if learned.has_reward and cell.method in recipes and not probes_of(study, cell):
            raise UserError(
                f"{where}: a reward model answers {cell.dataset} alone, which no suite measures\n"
                "hint: a suite with datasets: own"
            )
