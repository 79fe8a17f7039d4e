"""Read branches of a repository and splits of a dataset from the hub. No code of a repository is run."""

import re
import tempfile
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

from huggingface_hub import DatasetCard, HfApi, constants
from huggingface_hub.hf_api import RepoFile

from ripeness.hub.download import download, list_files
from ripeness.hub.parquet_copies import files_of_split, is_copy, no_split
from ripeness.hub.retry import as_a_hub_answers, misled, patiently
from ripeness.hub.target import Target
from ripeness.runtime.errors import UserError
from ripeness.study.joined_sources import splits_of
from ripeness.study.lock_file import commit_of

if TYPE_CHECKING:
    from datasets import Dataset

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def list_refs(repo: str, kind: Literal["model", "dataset"]) -> dict[str, str]:
    """Return the commit of every branch, tag and converted copy of a repository. `kind` is model or dataset."""
    target = Target(kind, repo)

    def ask() -> dict[str, str]:
        with as_a_hub_answers(target):
            found = HfApi().list_repo_refs(repo, repo_type=kind)
            names = {ref.name: ref.target_commit for ref in [*found.tags, *found.branches]}
            return names | {ref.ref: ref.target_commit for ref in found.converts}

    refs: dict[str, str] = patiently(target, ask)
    for name, commit in refs.items():
        if not COMMIT.fullmatch(str(commit)):
            raise misled(target, f"the commit of {name!r:.80} is {commit!r:.80}")
    return refs


def plainly(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call of the library of datasets whose own kind of error is one that `patiently` looks into."""
    import datasets

    @wraps(ask)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return ask(*arguments, **options)
        except datasets.exceptions.DatasetsError as error:
            raise RuntimeError(str(error) or type(error).__name__) from error

    return call


def text_split(split: str, source: dict[str, Any]) -> str:
    """Return the running text of one published split, rows joined by line ends.

    `source` holds id, revision, commit, column and perhaps config; UserError where there is no such column.
    """
    table = dataset_split(source["id"], source.get("config"), split, source)
    if source["column"] not in table.column_names:
        raise UserError(
            f"{source['id']} has no column {source['column']!r}; it has {', '.join(table.column_names)}\n"
            "hint: set `column` to the one with the text"
        )
    return "\n".join(row.rstrip("\n") for row in table[source["column"]])


def dataset_split(name: str, config: str | None, split: str, source: dict[str, Any]) -> "Dataset":
    """Return one published split, or several joined by `+`, in memory; only their own files are downloaded.

    `source` holds revision and commit.
    """
    import datasets

    tables = [one_split(name, config, part, source) for part in splits_of(split)]
    if odd := next((table for table in tables if table.column_names != tables[0].column_names), None):
        raise UserError(
            f"the dataset {name}: the splits {split} have different columns: {', '.join(tables[0].column_names)}; "
            f"{', '.join(odd.column_names)}\nhint: splits of one role need the same columns; use a task file for each"
        )
    if len(tables) == 1:
        return tables[0]
    return patiently(Target("dataset", name, part=split), plainly(datasets.concatenate_datasets), tables)


def one_split(name: str, config: str | None, split: str, source: dict[str, Any]) -> "Dataset":
    """Return one published split in memory."""
    commit = commit_of(source)
    target = Target("dataset", name, source["revision"])
    if constants.is_offline_mode():  # the library would take whatever version it has read before
        raise UserError(
            f"{target} cannot be fetched: HF_HUB_OFFLINE is set\nhint: fetch on a machine with network: make study, or "
            "snakemake prepare, there; results/ keeps the rows. Or give files on disk under `source`"
        )
    files = list_files(target, commit)
    with tempfile.TemporaryDirectory() as cache:
        # the library's own cache of tables is left alone: it would take a table with one split for the whole dataset
        if is_copy(source["revision"], config, files):
            paths = files_of_split(str(target), files, config, split)
            return converted_split(target, commit, [files[path] for path in paths], cache)
        return published_split(target, config, split, commit, files, cache)


def converted_split(target: Target, commit: str, wanted: list[RepoFile], cache: str) -> "Dataset":
    """Return a split of the hub's own Parquet copy, read from just these files."""
    import datasets

    folder = download(target, commit, wanted)
    read = plainly(datasets.Dataset.from_parquet)
    return patiently(target, read, [str(folder / file.path) for file in wanted], cache_dir=cache, keep_in_memory=True)


def published_split(
    target: Target, config: str | None, split: str, commit: str, files: dict[str, RepoFile], cache: str
) -> "Dataset":
    """Return a split of a repository as its card, or the names of its files, say what is a split."""
    import datasets

    if (script := f"{target.name.rpartition('/')[2]}.py") in files:
        raise UserError(
            f"{target} is made by a script, {script}, which is not run\nhint: `revision: refs/convert/parquet` reads "
            "the hub's own copy, if there is one; else download the rows and give the files under `source`"
        )
    build = plainly(datasets.load_dataset_builder)
    builder = patiently(target, build, target.name, name=config, revision=commit, cache_dir=cache)
    published = builder.config.data_files or {}
    if split not in published:
        raise no_split(str(target), split, published)
    prefix = f"hf://datasets/{target.name}@{commit}/"
    paths = [str(file).removeprefix(prefix) for file in published[split]]
    if "README.md" not in files or not is_described(target, commit, files["README.md"]):
        check_guess(target, split, paths)
    download(target, commit, [files[path] for path in paths if path in files])
    builder.config.data_files = datasets.data_files.DataFilesDict({split: published[split]})
    card = (builder.info.splits or {}).get(split)
    patiently(target, plainly(builder.download_and_prepare), verification_mode="no_checks")
    table = builder.as_dataset(split=split, in_memory=True)
    check_rows(target, split, len(table), card.num_examples if card else None)
    return table


def is_described(target: Target, commit: str, card: RepoFile) -> bool:
    """Tell whether the card of a repository says which files are which split."""
    folder = download(target, commit, [card])
    return bool(patiently(target, DatasetCard.load, folder / card.path).data.get("configs"))


def check_guess(target: Target, split: str, paths: list[str]) -> None:
    """Refuse a split that the library has put together from files of different names, such as two test sets.

    Without a card it goes by words in names: `test.jsonl` and `test-matched.jsonl` are `test` to it. Numbers, and a
    hash after them, tell the parts of one set.
    """
    from datasets.data_files import SPLIT_KEYWORDS

    words = {*SPLIT_KEYWORDS.get(split, []), split}
    found: dict[tuple[str, ...], str] = {}
    for path in paths:
        named = [part for part in path.split("/") if words & {part, *re.split(r"[-._ 0-9]+", part)}]
        found.setdefault(tuple(re.sub(r"\d+(-of-\d+)?(-[0-9a-f]{8,})?", "", part) for part in named), path)
    if len(found) > 1:
        raise UserError(
            f"{target}: no dataset card defines the split {split!r}, and several file names match it: "
            f"{', '.join(list(found.values())[:6])}\n"
            "hint: the hub's own copy may separate them (revision: refs/convert/parquet); or download the right "
            "file and give it under `source`"
        )


def check_rows(target: Target, split: str, n_rows: int, expected: int | None) -> None:
    """Refuse a split with another number of rows than its card says."""
    if expected and n_rows != expected:
        raise UserError(
            f"{target}: the split {split!r} has {n_rows} rows, its card says {expected}\n"
            "hint: fetch it again; if this repeats, the repository is damaged: use another commit"
        )
