"""Find what a user names: a study by its file or name, results by their folder or study, and the programs."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT, SCRIPTS
from ripeness.runtime.wording import hint
from ripeness.study.schema import read_yaml
from ripeness.study.study_config import MODELS, kind_of

INTERRUPTED = 130
STUDIES, CONFIG = Path("studies"), Path("config.yaml")
MAKE_ONE = "`ripeness init` makes a study; `ripeness run nursery` runs the one that comes with it"


def call(program: str, *options: str | Path) -> None:
    """Run one of the programs in scripts/, as by hand; Ctrl-C ends with status 130, as of every program."""
    if str(SCRIPTS) not in sys.path:
        sys.path.append(str(SCRIPTS))
    try:
        import_module(program).main([str(option) for option in options])
    except KeyboardInterrupt:  # of which typer would make status 1
        print("stopped; the next run resumes from here", file=sys.stderr)
        sys.exit(INTERRUPTED)


def part(module: str) -> Any:
    """Import a module of ripeness only when a command needs it: those with numeric libraries take a second."""
    return import_module(f"ripeness.{module}")


def has_cells(study: Path) -> bool:
    """Say whether a study tunes models; one of published numbers or of the theory does not."""
    return kind_of(read_yaml(study)) == MODELS


def study_file(name: str | None) -> Path:
    """Find a study: a file, else by name in studies/ of the working folder and of the project.

    Without a name it is config.yaml in the working folder, or the only file in its studies/.
    """
    if name is None:
        return only_study()
    if Path(name).is_file():
        return Path(name)
    found = [path for folder in (ROOT / STUDIES, STUDIES) for path in sorted(folder.glob("*.yaml"))]
    known = {"nursery": ROOT / CONFIG} | {path.stem: path for path in found}  # the user's own win
    if name not in known:
        near = hint(name, list(known), otherwise=MAKE_ONE)
        raise UserError(f"there is no study {name!r}; known are {', '.join(known)}\n{near}")
    return known[name]


def only_study() -> Path:
    """Return the study of the working folder; UserError where there is none, or several."""
    if CONFIG.is_file():
        return CONFIG
    found = sorted(STUDIES.glob("*.yaml"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"there is no study in {Path.cwd()}\nhint: {MAKE_ONE}")
    names = ", ".join(path.stem for path in found)
    raise UserError(f"several studies are in studies/: {names}\nhint: name one, such as {found[0].stem}")


def results_folder(name: str | None) -> Path:
    """Find finished results: a folder, else those of a study, by name; UserError where there are none yet."""
    if name is not None and (Path(name) / "findings.json").is_file():
        return Path(name)
    folder = Path("results")
    known = sorted(path.parent for path in folder.glob("*/findings.json"))
    for place in [Path(name), folder / name] if name is not None else []:
        if (place / "study.json").is_file() and place not in known:
            raise UserError(
                f"{place} has no findings.json: the run has not ended, or the file was deleted\n"
                f"hint: ripeness run {place.name} goes on from there, and makes it"
            )
    if name is None and len(known) == 1:
        return known[0]
    study = name if name is not None and folder / name in known else read_yaml(study_file(name)).get("study")
    if folder / str(study) not in known:
        said = ", ".join(str(path) for path in known) or "none"
        raise UserError(
            f"there are no finished results of {study}; finished are {said}\n"
            f"hint: ripeness run{f' {name}' if name else ''}"
        )
    return folder / str(study)


def words_for_snakemake(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Split what stands after a command into the study, if it is named, and options of Snakemake."""
    if words and not words[0].startswith("-"):
        return words[0], list(words[1:])
    return None, list(words)
