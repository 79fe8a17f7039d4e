"""Log a study to trackio or to Weights & Biases, on this machine.

A run is a way of tuning, a step a checkpoint.

Both have the same calls. Neither is needed for anything else, so neither is installed with ripeness.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.outputs.study_tables import place_of, tables_of
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import read_measurements
from ripeness.tables.main_scores import main_scores

OFFLINE: dict[str, dict[str, Any]] = {"trackio": {}, "wandb": {"mode": "offline"}}  # trackio keeps all on this machine
PLACES = {"trackio": "TRACKIO_DIR", "wandb": "WANDB_DIR"}  # the variable that says where


def log_study(results: Path, tracker: str) -> int:
    """Log main scores over tokens of pre-training, and return the number of runs. UserError without the library."""
    try:
        library = import_module(tracker)
    except ModuleNotFoundError as error:
        if error.name != tracker:
            raise
        raise UserError(
            f"{tracker} is not installed\nhint: pip install {tracker}, in the environment of ripeness"
        ) from None
    if "measurements" not in tables_of(results):
        raise UserError(f"{results} has no measurements of models\nhint: --to csv writes what it has")
    measurements = read_measurements(place_of(results, "measurements"))
    rows = main_scores(measurements)
    by = ["series", "dataset", "format", "method", "seed"]
    study = measurements["study"][0]
    for key, part in rows.group_by(by, maintain_order=True):
        names = dict(zip(by, key, strict=True))
        name = "/".join(str(value) for value in names.values())
        library.init(project=f"ripeness-{study}", name=name, config=names, **OFFLINE[tracker])
        for place, row in enumerate(part.sort("tokens").iter_rows(named=True)):
            library.log(
                {key: row[key] for key in ("tokens", "before", "after", "gain") if row[key] is not None}, step=place
            )
        library.finish()
    return rows.select(pl.struct(by).n_unique()).item() if rows.height else 0
