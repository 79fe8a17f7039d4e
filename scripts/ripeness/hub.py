"""What is asked of the hub: the branches of a repository, a split of a dataset. No code of a repository is run."""

import tempfile
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from huggingface_hub import HfApi, constants

from ripeness.errors import UserError
from ripeness.hub_files import download, list_files
from ripeness.patience import patiently
from ripeness.revisions import commit_of

if TYPE_CHECKING:
    from datasets import Dataset

EXPORT = "refs/convert/parquet"  # the hub's own copy of a dataset, a folder for each of its configurations


def list_refs(repo: str, kind: str) -> dict[str, str]:
    """The commit of every branch, tag and converted copy of a repository. `kind` is model or dataset."""
    what = f"the dataset {repo}" if kind == "dataset" else repo
    found = patiently(what, HfApi().list_repo_refs, repo, repo_type=kind)
    names = {ref.name: ref.target_commit for ref in [*found.tags, *found.branches]}
    return names | {ref.ref: ref.target_commit for ref in found.converts}


def plainly(ask: Callable[..., Any]) -> Callable[..., Any]:
    """A call of the library of datasets whose own kind of error is one that `patiently` looks into."""
    import datasets

    @wraps(ask)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return ask(*arguments, **options)
        except datasets.exceptions.DatasetsError as error:
            raise RuntimeError(str(error) or type(error).__name__) from error

    return call


def text_split(split: str, source: dict[str, Any]) -> str:
    """The running text of one published split, rows joined by line ends.

    `source` holds id, revision, commit, column and perhaps config; UserError where there is no such column.
    """
    table = dataset_split(source["id"], source.get("config"), split, source)
    if source["column"] not in table.column_names:
        raise UserError(
            f"{source['id']} has no column {source['column']!r}; it has {', '.join(table.column_names)}\n"
            "hint: `column` of the text names the one that holds it"
        )
    return "\n".join(row.rstrip("\n") for row in table[source["column"]])


def dataset_split(name: str, config: str | None, split: str, source: dict[str, Any]) -> "Dataset":
    """One published split in memory; only its own files are downloaded. `source` holds revision and commit."""
    import datasets  # slow to import, and needed only where something is fetched

    commit = commit_of(source)
    what = f"the dataset {name} at {source['revision']}"
    # in a converted copy, configurations are folders
    place = {"data_dir": config} if source["revision"] == EXPORT and config else {"name": config}
    if constants.is_offline_mode():
        return patiently(what, plainly(datasets.load_dataset), name, split=split, revision=commit, **place)
    with tempfile.TemporaryDirectory() as cache:
        # the library's own cache of tables is left alone: it would take a table with one split for the whole dataset
        build = plainly(datasets.load_dataset_builder)
        builder = patiently(what, build, name, revision=commit, cache_dir=cache, **place)
        published = builder.config.data_files or {}
        if split not in published:
            raise UserError(
                f"{what} has no split {split!r}; it has {', '.join(map(str, published)) or 'none'}\n"
                "hint: `splits` of the task file says which published split serves as what"
            )
        prefix = f"hf://datasets/{name}@{commit}/"
        paths = [str(file).removeprefix(prefix) for file in published[split]]
        files = list_files(what, name, "dataset", commit)
        download(what, name, "dataset", commit, [files[path] for path in paths if path in files])
        builder.config.data_files = datasets.data_files.DataFilesDict({split: published[split]})
        card = (builder.info.splits or {}).get(split)
        patiently(what, plainly(builder.download_and_prepare), verification_mode="no_checks")
        table = builder.as_dataset(split=split, in_memory=True)
        check_rows(what, split, len(table), card.num_examples if card else None)
        return table


def check_rows(what: str, split: str, n_rows: int, expected: int | None) -> None:
    """Refuse a split with another number of rows than its card says."""
    if expected and n_rows != expected:
        raise UserError(
            f"{what}: the split {split!r} has {n_rows} rows, its card says {expected}\n"
            "hint: fetch it again; if it stays so, the repository is damaged: take another commit"
        )
