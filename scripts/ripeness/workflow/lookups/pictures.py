"""Give inputs and parameters to the rules of rules/pictures.smk."""

from ripeness.study.grid import Cell, Study
from ripeness.study.pictures import cell_sees
from ripeness.workflow.lookups.shared import results, to_json
from ripeness.workflow.wildcards import Wildcards, cell_of


def encoder_folder(study: Study, wildcards: Wildcards) -> str:
    """Return the folder of the encoder: one on disk, from the hub, or that which is pre-trained here."""
    given = study.settings.pictures or {}
    if "hub" in given:
        return f"{results(study)}/fetched_encoder"
    return str(given.get("path", f"{results(study)}/encoder"))


def encoder_settings(study: Study, wildcards: Wildcards) -> str:
    """Return the settings of the encoder that is pre-trained here."""
    return to_json((study.settings.pictures or {}).get("pretrain", {}))


def encoder_layer(study: Study, wildcards: Wildcards) -> int:
    """Return the layer of the encoder whose states are taken."""
    given = study.settings.pictures or {}
    return int(given.get("layer", -1 if "pretrain" in given else -2))


def fetched_encoder(study: Study, wildcards: Wildcards) -> str:
    """Return where the encoder lies on the hub."""
    given = study.settings.pictures or {}
    return to_json({"repo": given.get("hub"), "revision": given.get("revision")})


def live_option(study: Study, wildcards: Wildcards) -> str:
    """Return the option that stores pictures in place of their states."""
    return "--live" if (study.settings.pictures or {}).get("live") else ""


def picture_control(study: Study, wildcards: Wildcards) -> str:
    """Return which pictures the questions of a dataset have: their own, or those of a control."""
    return study.tasks[wildcards.dataset].pictures or "own"


def pictures_seen(study: Study, cell: Cell, dataset: str) -> str | None:
    """Return the folder of states that the model of a cell reads for a dataset; None where it reads text alone."""
    if not study.tasks[dataset].image or not cell_sees(study, cell):
        return None
    return f"{results(study)}/pictures/{dataset}"


def pictures_learned(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the folder of states that a training reads; none for most."""
    cell = cell_of(wildcards)
    found = pictures_seen(study, cell, cell.dataset) if cell.dataset in study.tasks else None
    return [] if found is None else [found]
