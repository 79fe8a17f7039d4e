"""Write whole files or none: nothing half-written is ever taken for a result, not even after a power failure."""

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import check_kind, check_length, check_place, damaged, write_mark

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest
MOST_LETTERS = 100  # of a name in that of a temporary, since a file system has a limit

_open: list[Path] = []  # temporaries that are being written; what lies in them is synced with them


@contextmanager
def whole(path: Path, kind: str = "", *, must_last: bool = True) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that is renamed onto it when the block ends without an error.

    The block may make a file or a folder at the yielded path; a folder gets a mark of this `kind` (see
    `made_here`).
    Others may read what is made as the umask says.
    On an error the temporary is removed and `path` is left as it was. Rename is atomic on one file system, which a
    sibling guarantees, and what is renamed is on the disk before, unless it need not last, as a log. UserError where
    `path` holds what was not made here.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name[:MOST_LETTERS]}.", dir=path.parent))
    must_last = must_last and not any(outer in scratch.parents for outer in _open)
    _open.append(scratch)
    try:
        temporary = scratch / path.name
        yield temporary
        is_folder = temporary.is_dir()
        check_place(path, is_folder=is_folder)
        if is_folder:
            write_mark(temporary, kind)
        else:
            check_kind(path, temporary)
        let_read(temporary)
        if must_last:
            sync(temporary)
        if is_folder and path.exists():
            os.replace(path, scratch / "replaced")
        os.replace(temporary, path)
        if must_last:
            sync_one(path.parent)
    finally:
        _open.remove(scratch)
        shutil.rmtree(scratch, ignore_errors=True)


def let_read(path: Path) -> None:
    """Give a file, or every file in a folder, the mode of the umask where a library made it for its owner alone."""
    umask = os.umask(0o077)
    os.umask(umask)
    for file in path.rglob("*") if path.is_dir() else [path]:
        status = file.lstat()
        if stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600 and status.st_nlink == 1:
            file.chmod(0o666 & ~umask)


def sync(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on the disk. Links are not followed."""
    if path.is_dir():
        for top, _, names in os.walk(path):
            for name in names:
                sync_one(Path(top, name))
            sync_one(Path(top))
    else:
        sync_one(path)


def sync_one(path: Path) -> None:
    """Wait until one file, or the list of files in a folder, is on the disk, where the file system can do so."""
    if path.is_symlink():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


def link(source: Path, target: Path) -> None:
    """Give a file, or every file of a folder, a second name; a copy where the file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=link_or_copy)
    else:
        link_or_copy(str(source), str(target))


def link_or_copy(source: str, target: str) -> None:
    """Give a file a second name, or copy it."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def write_json(path: Path, value: Any, *, must_last: bool = True) -> None:
    """Write `value` as indented JSON with sorted keys, whole or not at all."""
    with whole(path, must_last=must_last) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path: Path, kind: type = object, *, keys: tuple[str, ...] = (), advice: str | None = None) -> Any:
    """Read one JSON file. Raises UserError if it is not there, is damaged, is of another kind, or lacks one of `keys`.

    `advice` is the hint; without it the file is taken for one that is made here.
    """
    value = parsed(path, read_text(Path(path), advice=advice), advice=advice)
    is_wanted = isinstance(value, kind)
    if not is_wanted:
        wanted = "an object" if kind is dict else "a list" if kind is list else "another kind of value"
        raise damaged(path, f"{shortened(value)} found, but {wanted} expected", advice)
    if keys and (missing := [key for key in keys if key not in value]):
        raise damaged(path, f"it lacks {', '.join(missing)}", advice)
    return value


def read_entries(path: Path, keys: tuple[str, ...], *, is_filled: bool = False) -> list[dict[str, Any]]:
    """Read the objects of a list in a JSON file of ours. Raises UserError if one lacks a key, or there is none."""
    entries = read_json(path, list)
    for entry in entries:
        if not isinstance(entry, dict):
            raise damaged(path, f"it is no list of objects: {shortened(entry)}")
        if missing := [key for key in keys if key not in entry]:
            raise damaged(path, f"an entry lacks {', '.join(missing)}: {shortened(entry)}")
    if is_filled and not entries:
        raise damaged(path, "it is a list of nothing")
    return entries


def parsed(path: Path | str, text: str, *, advice: str | None = None) -> Any:
    """Return the value of a JSON text; UserError with its place where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = str(error) if text.strip() else "it is empty"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise damaged(Path(path), f"it is not JSON: {reason}" if text.strip() else reason, advice)


def read_text(path: Path, *, advice: str | None = None) -> str:
    """Return a UTF-8 file, with or without a byte order mark.

    Raises UserError if it cannot be read or has lost its end.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no {path}\nhint: check the path; it is relative to {Path.cwd()}") from None
    except (OSError, ValueError) as error:
        raise damaged(path, str(error), advice) from None
    if "\0" in text:  # as a failure of power leaves a file whose content had not come to the disk
        raise damaged(path, "it contains NUL characters", advice)
    return text


def read_json_lines(path: Path, n_lines: int | None = None) -> list[Any]:
    """Return the values of a file of ours with one JSON value a line.

    Raises UserError that names a line that is none, or lost lines.
    """
    check_length(path)
    lines = [line for line in read_text(path).split("\n") if line]
    if n_lines is not None and len(lines) != n_lines:
        raise damaged(path, f"it has {len(lines)} lines, {n_lines} were written")
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise damaged(path, f"line {number} is not JSON: {error}") from None
    return found


def shortened(value: Any) -> str:
    """Return a value in a few words, for a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
