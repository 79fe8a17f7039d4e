"""Mark the folders that are made here with their contents, so that files of the user are never overwritten.

A program that writes a folder puts a small file into it, with the names and sizes of all that it wrote. A folder
without a mark, or with more in it than its mark names, is neither replaced nor emptied.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.file_kinds import Kind, has_names, is_other_kind, strange_form

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

MARK = ".ripeness.json"
TUNED, SCRATCH = "tuned model", "scratch"  # kinds of folders of which files may be deleted
OTHER_KIND = "it is another kind of file than is written now"
AGAIN = "delete it; the next run makes it again"
# what others put into any folder: Snakemake, the library of datasets, network and desktop file systems
OF_OTHERS = re.compile(r"\.snakemake_timestamp|\.DS_Store|\.nfs[0-9a-f]{16,}|cache-[0-9a-f]{16}(_\d+_of_\d+)?\.arrow")
DEPTH = 3  # folders above a file among which its mark is looked for

_named: set[Path] = set()  # files to write that an option of this program names


def write_mark(folder: Path, kind: str = "", **more: Any) -> None:
    """Name everything that a folder holds now, with its size in bytes; null for links."""
    found = {name: None if path.is_symlink() else path.stat().st_size for name, path in contents(folder).items()}
    text = json.dumps({"kind": kind, "files": found} | more, indent=1, sort_keys=True)
    (folder / MARK).write_text(text + "\n", encoding="utf-8")


def contents(folder: Path) -> dict[str, Path]:
    """Return the files and links below a folder by their paths in it, but for its mark and what others put there."""
    found = {}
    for top, folders, names in os.walk(folder):  # which follows no link
        for name in [*names, *(name for name in folders if Path(top, name).is_symlink())]:
            path = Path(top, name)
            if not OF_OTHERS.fullmatch(name) and path != folder / MARK:
                found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def mark_of(folder: Path) -> dict[str, Any] | None:
    """Read the mark of a folder; None if there is no readable one."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return mark if isinstance(mark, dict) and isinstance(mark.get("files"), dict) else None


def made_folder(path: Path) -> Path | None:
    """Return the folder with a mark in which a file lies that its program wrote; None if there is none."""
    for folder in list(path.parents)[:DEPTH]:
        if (mark := mark_of(folder)) is not None:
            return folder if path.relative_to(folder).as_posix() in mark["files"] else None
    return None


def check_place(path: Path, *, is_folder: bool) -> None:
    """Refuse to write where something of the user's is, or another kind of thing than is to be written."""
    if is_folder and path.is_symlink():
        raise refused(path, f"it is a link to {path.readlink()}")
    if is_folder and path.exists() and not path.is_dir():
        raise refused(path, "it is a file")
    if not is_folder and path.is_dir():
        raise refused(path, "it is a folder")
    if not is_folder or not path.is_dir():
        return
    strange = strange_in(path)
    if mark_of(path) is None and strange:
        raise refused(path, f"it holds {strange[0]}, which was not made by this project")
    if strange:
        raise refused(path, f"it holds {strange[0]}, which was not made by this project")


def check_file(path: Path, kind: Kind | None = None) -> None:
    """Refuse a file to write, as an option names it, where a file is that no program of this project has written.

    Where the `kind` of what will be written is known, a file of another one is refused before the work.
    """
    check_place(path, is_folder=False)
    _named.add(path)
    if os.path.lexists(path) and (what := strange_form(path)):
        raise refused(path, what)
    if kind and path.is_file() and not has_names(path, kind):
        raise refused(path, OTHER_KIND)


def check_kind(path: Path, new: Path) -> None:
    """Refuse to replace a file that an option names by a new one of another kind, such as another program's."""
    if path in _named and is_other_kind(path, new):
        raise refused(path, OTHER_KIND)


def refused(path: Path, what: str) -> UserError:
    """Make the error for a place that is taken."""
    return UserError(f"{path} is not overwritten: {what}\nhint: give another path, or move the existing files")


def check_no_overlap(output: Path, source: Path) -> None:
    """Refuse an output that is the very folder that is read, or a folder around it or in it."""
    new, old = output.resolve(), source.resolve()
    if new == old or new in old.parents or old in new.parents:
        raise UserError(f"the output {output} overlaps with the input {source}\nhint: give another output")


def damaged(path: Path, reason: str, advice: str | None = None) -> UserError:
    """Make the error for a file that cannot be read; without `advice` one that is made here, and can be made again."""
    return UserError(f"{path} cannot be read: {reason}\nhint: {advice or how_made_again(Path(path))}")


def how_made_again(path: Path) -> str:
    """Say how a damaged file is made again: alone, or with its folder if nothing else is in it."""
    folder = made_folder(path)
    if folder is None:
        return AGAIN
    if strange := strange_in(folder):
        return f"{strange[0]} in {folder} was not made here: move it elsewhere, then run again for the next step"
    return f"{AGAIN} (that is, its folder {folder})"


def strange_in(folder: Path) -> list[str]:
    """List the files in a folder that its mark does not name."""
    mark = mark_of(folder) or {"files": {}}
    return sorted(contents(folder).keys() - mark["files"].keys())


def check_length(path: Path) -> None:
    """Refuse a file of a marked folder that has not the length with which it was written.

    Of text nothing else tells that its end is missing.
    """
    if (folder := made_folder(path)) is None:
        return
    wanted = (mark_of(folder) or {"files": {}})["files"].get(path.relative_to(folder).as_posix())
    if wanted is not None and path.stat().st_size != wanted:
        raise damaged(path, f"it has {path.stat().st_size} bytes, {wanted} were written")
