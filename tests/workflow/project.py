"""A copy of the project for a test to run, edit and break."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = (
    "Snakefile",
    "rules",
    "scripts",
    "tasks",
    "series",
    "reports",
    "envs",
    "config.yaml",
    "config.schema.yaml",
    "task.schema.yaml",
    "series.schema.yaml",
)
# `python` in a rule is the one that runs the tests; compiled code is kept, else each of hundreds of jobs compiles it
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


def copy_project(folder: Path) -> Path:
    """Copy everything that a run needs to a new folder."""
    folder.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    return folder
