"""Check the datasets of kinds that choose among label words, and that something measures their models."""

from ripeness.runtime.errors import UserError
from ripeness.study.grid import Study, probes_of, tuned_cells
from ripeness.study.methods.register import KINDS


def check_label_words(study: Study, method: str) -> None:
    """Refuse datasets whose items do not share their options, and a study in which no suite asks such a model."""
    settings = study.settings.methods[method]
    if not KINDS[settings["kind"]].has_labels:
        return
    where, kind = f"methods.{method}", settings["kind"]
    tuned = settings.get("datasets", list(study.settings.datasets))
    fit = [name for name in study.settings.datasets if study.tasks[name].labels]
    if odd := [name for name in tuned if name not in fit]:
        why = "has options of its own for each item"
        if study.tasks[odd[0]].kind == "generation":
            why = "is answered by text that is written"
        way = f"datasets: [{', '.join(fit)}] for this method, or another kind" if fit else "another kind"
        raise UserError(
            f"{where}: kind {kind} chooses among label words that all items share, but {odd[0]} {why}\nhint: {way}"
        )
    recipes = [name for name, on in study.recipes.items() if any(one["method"] == method for one in on.values())]
    for series in study.checkpoints:
        for cell in tuned_cells(study, series, ""):
            if cell.method in recipes and not probes_of(study, cell):
                raise UserError(
                    f"{where}: kind {kind} answers {cell.dataset} alone, which no suite measures\n"
                    "hint: a suite with datasets: own"
                )
