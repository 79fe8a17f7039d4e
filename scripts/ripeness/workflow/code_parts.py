"""Name the definitions whose code has changed between two versions of a program, for people.

`code.jsonl` in a study's folder has one line for each digest of code that its results carry: the digests of the
definitions that it covers, by file and name (see `code_digest`).
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ripeness.workflow.appended_lines import append, read_lines
from ripeness.workflow.code_digest import PROGRAMS, Target, read_module, root_of, targets_of, used_by

CODES = "code.jsonl"
MOST_NAMED = 3
PART_LETTERS = 8
TOP = "top level"


def parts_of(program: Path) -> dict[str, str]:
    """Compute a digest of every definition that a program uses of its file and of the package, by file and name."""
    texts: dict[str, list[str]] = {}
    waiting, seen = [Target(program, None)], set()
    while waiting:
        target = waiting.pop()
        module = read_module(target.path)
        if target in seen or module.is_neutral:
            continue
        seen.add(target)
        if target.name in module.targets:  # imported there and handed on
            waiting.append(module.targets[target.name])
            continue
        running = [statement for statement in module.statements if not statement.defines]
        names = frozenset().union(*(statement.mentions for statement in running))
        wanted = module.statements if target.name is None else used_by(module, names | {target.name})
        wanted = list({id(statement): statement for statement in [*running, *wanted]}.values())
        for statement in wanted:
            part = f"{place_of(target.path)}: {', '.join(sorted(statement.defines)) or TOP}"
            texts.setdefault(part, [])
            if statement.tokens not in texts[part]:
                texts[part].append(statement.tokens)
        used = targets_of(module, wanted) | (module.targets if target.name is None else {})
        waiting += [*used.values(), *(Target(other.path, "") for other in module.targets.values())]
    return {part: short_digest(tokens) for part, tokens in texts.items()}


def place_of(path: Path) -> str:
    """Return the place of a file of the package within it, or the name of a program."""
    root = root_of(path)
    return str(path.relative_to(root / "ripeness" if path.is_relative_to(root / "ripeness") else root))


def short_digest(texts: Iterable[str]) -> str:
    """Return a digest that tells the versions of one definition apart."""
    return hashlib.sha256("\n\n".join(sorted(texts)).encode()).hexdigest()[:PART_LETTERS]


class Codes:
    """The parts of all code that results of one study were made by."""

    def __init__(self, folder: Path) -> None:
        """Read them from a study's folder."""
        self.path = folder / CODES
        self.known: dict[str, dict[str, str]] = {line["code"]: line["parts"] for line in read_lines(self.path)}

    def note(self, code: str) -> None:
        """Note the parts of code that this process has computed a digest of; `code` is of one file or of several."""
        for digest in code.split():
            if digest not in self.known and digest in PROGRAMS:
                self.known[digest] = parts_of(PROGRAMS[digest])
                append(self.path, {"code": digest, "parts": self.known[digest]})

    def of(self, code: str) -> dict[str, str] | None:
        """Return the parts of code; None where not all are known."""
        found: dict[str, str] = {}
        for digest in code.split():
            if digest in PROGRAMS:
                found |= parts_of(PROGRAMS[digest])
            elif digest in self.known:
                found |= self.known[digest]
            else:
                return None
        return found

    def change(self, before: str, now: str) -> str:
        """Name the parts that differ between the code of a result and that of the plan; "" where it is not known."""
        former, present = self.of(before), self.of(now)
        if former is None or present is None:
            return ""
        changed = [part for part in former if part in present and former[part] != present[part]]
        names = sorted(changed) or sorted(former.keys() ^ present.keys())
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return ", ".join(names[:MOST_NAMED]) + more
