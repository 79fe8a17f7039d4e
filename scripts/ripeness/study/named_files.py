"""Check that the files and folders named by a study exist, and that lm-eval is installed if it is needed."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.study.annealed_twins import corpus_of, is_twin
from ripeness.study.grid import Study, harness_tasks
from ripeness.study.tasks import files_by_role

TOKENIZERS = ("tokenizer.json", "vocab.json", "tokenizer.model")  # one of them holds the tokens


def check_files(study: Study) -> None:
    """Refuse a study that names a file or folder that is not there, or tasks of lm-eval where that is not installed."""
    if (tasks := harness_tasks(study)) and not importlib.util.find_spec("lm_eval"):
        raise UserError(
            f"the suites use tasks of lm_eval ({', '.join(tasks)}), which is not installed\n"
            "hint: .venv/bin/pip install lm-eval==0.4.13, or remove them from `suites`"
        )
    for where, path in named_files(study):
        if not Path(path).exists():
            raise UserError(f"{where}: there is no {path}\nhint: {way_out(path)}")
    for where, folder in checkpoint_folders(study):
        check_is_model(where, folder)


def way_out(path: str) -> str:
    """Say what to do about a path that leads nowhere."""
    if path.startswith("~"):
        return f"~ stands for no folder here; write {Path(path).expanduser()}"
    return f"check the path; it is relative to {Path.cwd()}"


def check_is_model(where: str, folder: str) -> None:
    """Refuse what is no model folder in the layout of transformers, before anything is read from it."""
    if Path(folder).is_file():
        seen = f"{folder} is a file, not a folder"
    elif not any((Path(folder) / name).is_file() for name in TOKENIZERS):
        seen = f"{folder} has no tokenizer (none of {', '.join(TOKENIZERS)})"
    elif not (Path(folder) / "config.json").is_file():
        seen = f"{folder} has no config.json"
    else:
        return
    raise UserError(
        f"{where}: {seen}\n"
        "hint: name a folder that model.save_pretrained(folder) and tokenizer.save_pretrained(folder) have both written"
    )


def checkpoint_folders(study: Study) -> Iterator[tuple[str, str]]:
    """Yield (where it is named, folder) of every checkpoint that the study reads from disk."""
    for name in study.settings.series:
        for checkpoint, entry in study.checkpoints[name].items():
            if "path" in entry:
                yield f"series.{name}.checkpoints: {checkpoint}", entry["path"]


def named_files(study: Study) -> Iterator[tuple[str, str]]:
    """Yield (where it is named, path) of every file and folder that the study reads from disk."""
    for number, path in enumerate(study.settings.published_tables):
        yield f"published.tables.{number}", path
    for name, task in study.tasks.items():
        for role, path in files_by_role(task):
            yield f"datasets.{name}.source.{role}", path
    for name, text in study.settings.texts.items():
        if text.path is not None:
            yield f"texts.{name}", text.path
    for name, method in study.settings.methods.items():
        if "text" in method:
            yield f"methods.{name}.text", method["text"]
        if "text" in method.get("replay", {}):
            yield f"methods.{name}.replay.text", method["replay"]["text"]
    if encoder := (study.settings.pictures or {}).get("path"):
        yield "pictures.path", encoder
    if study.settings.include_path is not None:
        yield "lm_eval.include_path", study.settings.include_path
    for name, series in study.settings.series.items():
        if series.gate_text is not None:
            yield f"series.{name}.gate_text", series.gate_text
        for split, path in (series.pretrain["source"] if series.pretrain else {}).get("text", {}).items():
            yield f"series.{name}.pretrain.source.text.{split}", path
        for checkpoint, entry in study.checkpoints[name].items():
            if "path" in entry:
                yield f"series.{name}.checkpoints: {checkpoint}", entry["path"]
            if is_twin(entry) and not corpus_of(study.settings, name, entry):
                yield f"series.{name}.checkpoints: {checkpoint}.text", entry["text"]
