"""Report which branches of a repository share their weights."""

from collections.abc import Iterable
from dataclasses import dataclass

from ripeness.hub.client import list_refs
from ripeness.hub.weight_digests import all_forms, preferred
from ripeness.study.same_weights import Alike, groups, partly, same, shared_words

MAIN = "main"  # the branch that is another name of some step
WIDTH = 118


@dataclass(frozen=True)
class WeightReport:
    """What was found of a repository's branches, and whether anything of it is wrong."""

    lines: list[str]
    is_good: bool


def report_weights(repo: str) -> WeightReport:
    """Ask the hub for the files of every branch and tag, which downloads nothing, and compare the digests of weights.

    Nothing is wrong where every branch has weights of its own; `main` may have those of one other.
    """
    refs = dict(sorted(list_refs(repo, "model").items(), key=lambda ref: natural(ref[0])))
    forms = all_forms(repo, refs)
    records = {name: record for name in refs if (record := preferred(forms[name]))}
    equal, shared, empty = same(records), partly(records), [name for name in refs if name not in records]
    n_different = len(groups(records))
    lines = [f"{repo}: {len(refs)} branches and tags, {n_different} different weights, {len(empty)} without weights"]
    for alike in equal:
        lines += [f"same weights ({alike.digest}), {counted(len(alike.owners))}{others(alike, forms)}:"]
        lines += wrapped(alike.owners)
    for alike in shared:
        lines += [f"{shared_words(alike)} are the same, the others not, in {counted(len(alike.owners))}:"]
        lines += wrapped(alike.owners)
    if empty:
        lines += [f"without weights in a form that is read here, {counted(len(empty))}:", *wrapped(empty)]
    wrong = [alike for alike in equal if len([name for name in alike.owners if name != MAIN]) > 1]
    return WeightReport(lines, not (wrong or shared or empty))


def counted(n: int) -> str:
    """Return a number of branches in words."""
    return f"{n} branch" if n == 1 else f"{n} branches"


def natural(name: str) -> list[tuple[int, int | str]]:
    """Return a key that sorts step2 before step10."""
    parts: list[tuple[int, int | str]] = []
    digits = ""
    for character in f"{name}\0":
        if character.isdecimal():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits)))
            digits = ""
        parts.append((1, character))
    return parts


def others(alike: Alike, forms: dict[str, dict[str, list[str]]]) -> str:
    """Name the other forms of weights that differ between these branches: then the form that is read is wrong."""
    first = next(iter(forms[alike.owners[0]]))
    names = {name for owner in alike.owners for name in forms[owner] if name != first}
    told = []
    for name in sorted(names):
        n_different = len({tuple(forms[owner][name]) for owner in alike.owners if name in forms[owner]})
        if n_different > 1:
            told.append(f"; their {name} differ: {n_different} different ones")
    return "".join(told)


def wrapped(names: Iterable[str]) -> list[str]:
    """Wrap names into lines of a screen's width."""
    lines = ["   "]
    for name in names:
        if len(lines[-1]) + len(name) > WIDTH:
            lines.append("   ")
        lines[-1] += f" {name}"
    return lines
