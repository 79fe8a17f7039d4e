"""Record what a study was made from: versions, code, data with licences and digests, checkpoints, settings."""

import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ripeness.models.checkpoint_facts import read_made_facts
from ripeness.runtime.command_line import argument_parser, json_list_option, json_option, output_file, run
from ripeness.runtime.files import read_json, write_json
from ripeness.runtime.project import ROOT, code_version, searched
from ripeness.study.schema import read_yaml
from ripeness.workflow.result_keys import NO_KEY

PACKAGES = (
    "snakemake", "torch", "transformers", "tokenizers", "huggingface-hub", "datasets", "rouge-score", "polars", "numpy",
    "altair", "vl-convert-python",
)  # fmt: skip
ORIGIN = ("repo", "revision", "commit")


def versions() -> dict[str, str]:
    """List the installed packages; a study of published numbers needs no torch."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def licence_of(name: str, record: Mapping[str, Any]) -> str:
    """Return the licence of a dataset's rows; that of a shipped task is not that of a user's own files."""
    files = [path for folder in searched(ROOT / "tasks") if (path := folder / f"{name}.yaml").is_file()]
    has_own_rows = is_of_files(record["source"]) and any(
        not is_of_files(read_yaml(path)["source"]) for path in files[:1]
    )
    return "not stated: files of your own" if has_own_rows else record["licence"]


def is_of_files(source: Mapping[str, Any]) -> bool:
    """Say whether rows were read from files on disk."""
    return "train" in source and "github" not in source


def describe(
    datasets: list[Path],
    checkpoints: list[Path],
    config: dict[str, Any],
    *,
    harness: Sequence[Path] = (),
    gates: Sequence[Path] = (),
    published: Sequence[Path] = (),
    accepted: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Make tables of name and value for the report."""
    of_datasets = {folder.name: facts_of_dataset(folder) for folder in datasets}
    of_checkpoints = facts_of_checkpoints(checkpoints, gates)
    asked = ("source", "file", "split", "n_documents", "sha256")
    fetched = [read_json(folder / "task.json", dict, keys=("task", *asked)) for folder in harness]
    tables = {
        str(path): {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes()).hexdigest()} for path in published
    }
    tasks = {record["task"]: {key: record[key] for key in asked} for record in fetched}
    return {
        "software": {
            "ripeness": code_version(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processor": f"{platform.machine()}",
            **versions(),
        },
        "datasets": of_datasets,
        "checkpoints": of_checkpoints,
        **({"tasks of lm_eval": tasks} if tasks else {}),
        **({"published tables": tables} if tables else {}),
        **({"accepted as they are": of_rules(accepted)} if accepted else {}),
        "study": config,
        "command": "snakemake --configfile <the study above> --cores 2   (or make study STUDY=<file>)",
    }


def facts_of_dataset(folder: Path) -> dict[str, Any]:
    """Return the licence, the source and the files of a dataset."""
    record = read_json(folder / "provenance.json", dict, keys=("licence", "source", "files"))
    return {
        "licence": licence_of(folder.name, record),
        "source": record["source"],
        "files": [f"{f['name']}: {f['rows']} rows, sha256 {f['sha256'][:16]}" for f in record["files"]],
    }


def facts_of_checkpoints(checkpoints: list[Path], gates: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the facts of each checkpoint, with the loss that the gate measured."""
    facts = [read_made_facts(folder / "checkpoint.json") for folder in checkpoints]
    losses = {
        (row["series"], row["checkpoint"]): {
            "loss (nats a token)": row["loss"],
            "loss of guessing": row["guessing"],
            "loss measured on": row["text"],
            "remark": row["remark"],
        }
        for path in gates
        for row in read_json(path, list)
    }
    return {
        f"{fact['series']} {fact['checkpoint']}": {
            **{key: fact[key] for key in ("step", "tokens", "lr", "phase", "seed")},
            **{key: fact.get(key) for key in ORIGIN if any(key in other for other in facts)},
            **losses.get((fact["series"], fact["checkpoint"]), {}),
        }
        for fact in facts
    }


def of_rules(accepted: Sequence[dict[str, Any]]) -> dict[str, str]:
    """One line for each rule and pair of codes; of what was made without a key the code is not known."""
    return {
        f"{row['rule']}, {row['code_before'] if row['code_before'] == NO_KEY else 'code ' + row['code_before']}": (
            f"taken for code {row['code_since']} in {row['jobs']} notes"
        )
        for row in accepted
    }


def main(argv: list[str] | None = None) -> None:
    """Write one JSON file."""
    parser = argument_parser(__doc__)
    parser.add_argument("--datasets", type=Path, nargs="*", default=[], help="folders of fetch_dataset")
    parser.add_argument("--checkpoints", type=Path, nargs="*", default=[], help="folders of checkpoints")
    parser.add_argument("--harness", type=Path, nargs="*", default=[], help="folders of fetch_harness_task")
    parser.add_argument("--gates", type=Path, nargs="*", default=[], help="files of check_series")
    parser.add_argument("--published", type=Path, nargs="*", default=[], help="tables of published numbers")
    parser.add_argument("--config", required=True, type=json_option, help="the study's config as JSON")
    parser.add_argument("--accepted", type=json_list_option, default=[], help="results that were accepted as they are")
    parser.add_argument("--output", required=True, type=output_file, help="JSON file to write")
    options = parser.parse_args(argv)
    more = {name: getattr(options, name) for name in ("harness", "gates", "published", "accepted")}
    write_json(options.output, describe(options.datasets, options.checkpoints, options.config, **more))


if __name__ == "__main__":
    run(main)
