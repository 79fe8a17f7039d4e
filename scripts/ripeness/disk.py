"""The files and folders on disk that a study names: are they there?"""

from collections.abc import Iterator
from pathlib import Path

from ripeness.errors import UserError
from ripeness.plan import Study


def check_files(study: Study) -> None:
    """Refuse a study that names a file or folder that is not there."""
    for where, path in named_files(study):
        if not Path(path).exists():
            raise UserError(f"{where}: there is no {path}\nhint: check the path; it is relative to {Path.cwd()}")


def named_files(study: Study) -> Iterator[tuple[str, str]]:
    """(Where it is named, path) of every file and folder that the study reads from disk."""
    for name, task in study.tasks.items():
        for role in ("train", "validation", "test"):
            if role in task.source:
                yield f"datasets.{name}.source.{role}", task.source[role]
    for name, text in study.config["texts"].items():
        if "path" in text:
            yield f"texts.{name}", text["path"]
    for name, series in study.config["series"].items():
        for split, path in series.get("pretrain", {}).get("source", {}).get("text", {}).items():
            yield f"series.{name}.pretrain.source.text.{split}", path
        for checkpoint, entry in study.checkpoints[name].items():
            if "path" in entry:
                yield f"series.{name}.checkpoints: {checkpoint}", f"{entry['path']}/config.json"
