"""Find the files of a split in the hub's own Parquet copy of a dataset.

The copy lies on the branch refs/convert/parquet as <configuration>/<split>/<number>.parquet. Of a split that is too
large only the beginning may be there, in a folder `partial-<split>`; one of more than 10,000 files lies in
`<split>-part0`, `<split>-part1` and so on (huggingface/dataset-viewer, libcommon/parquet_utils.py). A folder's name is
taken as it is: to the library of datasets, which looks for words, `validation_matched` and `validation_mismatched` are
one split.
"""

import re
from collections.abc import Iterable

from ripeness.runtime.errors import UserError
from ripeness.study.schema import hint

COPY = "refs/convert/parquet"  # the branch of the copy
PARTIAL = "partial-"
SHARD = re.compile(r"(.+)/([^/]+)/(\d+)\.parquet")
NUMBERED = re.compile(r"(.+)-part(\d+)")

Splits = dict[str, dict[str, list[str]]]  # {configuration: {split: [path, ...]}}


def is_copy(revision: str, config: str | None, paths: Iterable[str]) -> bool:
    """Tell whether a revision is such a copy: by its name, or, where a commit is given, by all of its files."""
    found = [SHARD.fullmatch(path) for path in paths if not path.startswith(".")]
    known = {match[1] for match in found if match}
    return revision == COPY or bool(found and all(found) and (config in known or config is None))


def splits_in(what: str, paths: Iterable[str]) -> Splits:
    """Return the files of every split in their order.

    Raises UserError that names `what` if one is missing from a sequence.
    """
    found: dict[tuple[str, str], dict[tuple[int, int], str]] = {}
    for path in paths:
        if not (match := SHARD.fullmatch(path)):
            continue
        config, folder, number = match.groups()
        part = NUMBERED.fullmatch(folder)
        split, place = (part[1], int(part[2])) if part else (folder, -1)
        found.setdefault((config, split), {})[place, int(number)] = path
    splits: Splits = {}
    for (config, split), files in sorted(found.items()):
        check_sequence(f"{what}: {config}/{split}", sorted(files))
        splits.setdefault(config, {})[split] = [files[place] for place in sorted(files)]
    return splits


def check_sequence(where: str, places: list[tuple[int, int]]) -> None:
    """Refuse files of a split whose numbers have a gap: rows would be missing."""
    parts = sorted({part for part, _ in places})
    is_whole = parts in ([-1], list(range(len(parts))))
    for part in parts:
        numbers = [number for other, number in places if other == part]
        is_whole = is_whole and numbers == list(range(len(numbers)))
    if not is_whole:
        raise UserError(
            f"{where} is incomplete: it has the files number {', '.join(str(number) for _, number in places[:8])}\n"
            "hint: the copy is damaged; use another revision"
        )


def files_of_split(what: str, paths: Iterable[str], config: str | None, split: str) -> list[str]:
    """Return the files of one split. Raises UserError if there is none, or only the beginning of one."""
    splits = splits_in(what, paths)
    config = config or only_one(what, splits)
    if config not in splits:
        near = hint(config, list(splits), otherwise="`config` names a folder of the copy")
        raise UserError(f"{what} has no configuration {config!r}; it has {', '.join(splits) or 'none'}\n{near}")
    if split not in splits[config] and PARTIAL + split in splits[config]:
        raise UserError(
            f"{what} has only the beginning of the split {split!r}\n"
            f"hint: use {PARTIAL + split} under `splits` for this part; another revision may have all of it"
        )
    if split not in splits[config]:
        raise no_split(what, split, splits[config])
    return splits[config][split]


def only_one(what: str, splits: Splits) -> str:
    """Return the configuration of a copy that has one. Raises UserError if there are several to choose from."""
    if len(splits) != 1:
        raise UserError(
            f"{what} has the configurations {', '.join(splits) or '(none)'}, and the source selects none\n"
            "hint: choose one with `config`"
        )
    return next(iter(splits))


def no_split(what: str, split: str, known: Iterable[str]) -> UserError:
    """Make the error for a split that is not there."""
    return UserError(
        f"{what} has no split {split!r}; it has {', '.join(map(str, known)) or 'none'}\n"
        "hint: `splits` of the task file maps train, validation and test to published splits"
    )
