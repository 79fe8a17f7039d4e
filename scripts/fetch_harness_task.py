"""Fetch one task of lm-evaluation-harness: its data, its config, and a digest of its documents."""

import difflib
import hashlib
import json
from pathlib import Path
from typing import Any

from ripeness.measure.harness import build_task, source, task_folder
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole, write_json


def find_file(name: str, include_path: str | None) -> Path:
    """Return the file of a task: one of the user's, or one that the harness brings."""
    from lm_eval.tasks import TaskManager

    names: list[str] = []
    # its own tasks are many thousands and take seconds to read
    for folder in [*([include_path] if include_path else []), None]:
        index = TaskManager(include_path=folder, include_defaults=folder is None).task_index
        if name in index:
            return file_of(index[name])
        names += index
    near = difflib.get_close_matches(name, names, n=1)
    raise UserError(
        f"lm_eval has no task {name!r}"
        + (f", nor has the folder {include_path}\n" if include_path else "\n")
        + (f"hint: did you mean {near[0]!r}?" if near else "hint: `lm_eval ls tasks` lists them")
    )


def file_of(entry: Any) -> Path:
    """Return the file of an entry of the harness's index. Raises UserError for what is no single task of plain data."""
    if entry.kind.name in ("GROUP", "TAG"):
        members = entry.tags if entry.kind.name == "TAG" else (entry.cfg or {}).get("task", [])
        shown = ", ".join(sorted(member for member in members if isinstance(member, str))[:20])
        raise UserError(f"{entry.name!r} of lm_eval is a group of tasks\nhint: name its tasks instead: {shown}")
    if entry.kind.name != "TASK":
        raise UserError(
            f"the task {entry.name!r} of lm_eval is a program, not a task file\nhint: choose one that is a YAML file"
        )
    return Path(entry.yaml_path)


def load(name: str, path: Path) -> Any:
    """Build the task with its data, from the network where they are not in the cache."""
    try:
        return build_task(path)
    except Exception as error:  # whatever a task file, its functions, or the loading of its data may raise
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise UserError(
            f"the task {name!r} of lm_eval ({path}) cannot be loaded: {reason}\n"
            "hint: fetching needs the network; a task file of your own may name files on disk (dataset_path: json)"
        ) from None


def check_task(task: Any, name: str, shots: list[int]) -> None:
    """Refuse a task that would run code of a model, reads more than text, or takes no shots."""
    if getattr(task, "UNSAFE_CODE", False):
        raise UserError(
            f"the task {name!r} executes code written by models\nhint: leave it out; run it with lm_eval itself"
        )
    if getattr(task, "MULTIMODAL", False):
        raise UserError(f"the task {name!r} uses images or audio\nhint: leave it out; the models read text only")
    if task.config.num_fewshot == 0 and any(shots):
        raise UserError(
            f"the task {name!r} is for 0 shots only (num_fewshot: 0), but {max(shots)} are requested\n"
            "hint: lm_eval would silently use 0 shots; set `shots: [0]` in its suite"
        )


def describe(task: Any, name: str, path: Path) -> dict[str, Any]:
    """Describe a task: who fetched it, its file, config, splits and documents."""
    is_shipped = path.resolve().is_relative_to(task_folder().resolve())
    documents = hashlib.sha256()
    for document in task.eval_docs:
        documents.update(json.dumps(document, sort_keys=True, default=str).encode() + b"\n")
    return {
        "task": name,
        "source": source(),
        "file": str(path.resolve().relative_to(task_folder().resolve()) if is_shipped else path),
        "is_shipped": is_shipped,
        "config": json.loads(json.dumps(task.dump_config(), default=str)),
        "splits": {split: len(rows) for split, rows in used_splits(task).items()},
        "split": task.config.test_split or task.config.validation_split,
        "n_documents": len(task.eval_docs),
        "sha256": documents.hexdigest(),
    }


def used_splits(task: Any) -> dict[str, Any]:
    """Return the splits that the task's config names."""
    config = task.config
    named = {config.training_split, config.validation_split, config.test_split, config.fewshot_split}
    return {split: rows for split, rows in task.dataset.items() if split in named | {task.fewshot_cfg.split}}


def main(argv: list[str] | None = None) -> None:
    """Write <output>/task.json and <output>/data."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--request", required=True, type=json_option, help="{task, shots, include_path (optional)} as JSON"
    )
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    from datasets import DatasetDict

    name = options.request["task"]
    path = find_file(name, options.request.get("include_path"))
    task = load(name, path)
    check_task(task, name, options.request["shots"])
    with whole(options.output) as folder:
        folder.mkdir()
        DatasetDict(used_splits(task)).save_to_disk(folder / "data")
        write_json(folder / "task.json", describe(task, name, path))


if __name__ == "__main__":
    run(main)
