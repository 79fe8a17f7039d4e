"""Compute digests of the code that decides a rule's numbers, so that reruns follow meaning and not bytes.

A digest covers a program and every definition of this package that the program uses, directly or not: of a module from
which one function is imported, that function and what it uses. Comments, docstrings, blank lines and line breaks within
brackets are left out; what remains are the tokens of the language, which are the same in every version of Python. The
names and places of files play no part: an import counts as the digest of what it imports. A rule carries its digest as
a `params` value, so a changed digest reruns exactly its jobs.

Importing a module runs its top level. Statements there that define nothing count for all who import the module,
directly or not. A module that no number depends on says so with a constant NEUTRAL: how a program is started, logged
and given memory, and how its files are written.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ripeness.workflow.code_statements import MARK, PACKAGE, Imported, Source
from ripeness.workflow.kept_statements import read_kept


class UnresolvedImport(ImportError):
    """An import of this package that leads nowhere: its code would be missing from a digest."""


@dataclass(frozen=True)
class Target:
    """What an import from this package gives a name to: a module, or one of its names."""

    path: Path
    name: str | None


@dataclass(frozen=True)
class Statement:
    """A statement at the top level of a file: the names that it defines, those that it mentions, and its tokens.

    Imports of this package are not among the tokens but in `targets`, by the name that they are used under.
    """

    defines: frozenset[str]
    mentions: frozenset[str]
    tokens: str
    targets: dict[str, Target]


@dataclass(frozen=True)
class Module:
    """A file: its statements in order, and what each name stands for that is imported at its top level."""

    statements: list[Statement]
    targets: dict[str, Target]
    is_neutral: bool


PROGRAMS: dict[str, Path] = {}  # by the digest that this process has computed


@cache
def digest(program: Path) -> str:
    """Compute the digest of a program in scripts/ with all that it uses of the package: 12 hex digits.

    UnresolvedImport for an import of the package that leads nowhere.
    """
    found = digest_of(Target(program, None))[:12]
    PROGRAMS[found] = program
    return found


@cache
def digest_of(target: Target) -> str:
    """Compute the digest of a module, or of one of its names with all that it uses.

    All neutral modules have the same.
    """
    module = read_module(target.path)
    if module.is_neutral:
        return MARK
    if target.name in module.targets:  # imported there and handed on
        return digest_of(module.targets[target.name])
    wanted = module.statements if target.name is None else used_by(module, {target.name})
    if target.name is not None and not any(target.name in statement.defines for statement in wanted):
        raise UnresolvedImport(f"{target.path.name} defines no {target.name!r}")
    parts = [*(statement.tokens for statement in wanted), effects_of(target.path)]
    used = targets_of(module, wanted) | (module.targets if target.name is None else {})
    parts += [f"{name}\0{digest_of(used[name])}" for name in sorted(used)]
    return hashlib.sha256("\n\n".join(parts).encode()).hexdigest()


@cache
def effects_of(path: Path) -> str:
    """Compute the digest of the statements that run on import and define nothing, there and in what it imports."""
    module = read_module(path)
    if module.is_neutral:
        return ""
    running = [statement for statement in module.statements if not statement.defines]
    used = [*running, *used_by(module, frozenset().union(*(statement.mentions for statement in running)))]
    parts = [statement.tokens for statement in used]
    targets = targets_of(module, used)
    parts += [f"{name}\0{digest_of(targets[name])}" for name in sorted(targets)]
    parts += [effects_of(module.targets[name].path) for name in sorted(module.targets)]
    text = "\n\n".join(filter(None, parts))
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def targets_of(module: Module, statements: list[Statement]) -> dict[str, Target]:
    """Map the names from other modules that statements use to their targets."""
    used: dict[str, Target] = {}
    for statement in statements:
        used |= {name: module.targets[name] for name in statement.mentions & module.targets.keys()} | statement.targets
    return used


def used_by(module: Module, names: set[str] | frozenset[str]) -> list[Statement]:
    """Return the statements that define some names of a module and all that these use there, in order."""
    known: set[str] = set()
    waiting = set(names)
    while waiting:
        known |= waiting
        found = [statement for statement in module.statements if statement.defines & known]
        waiting = set().union(*(statement.mentions for statement in found)) - known
    return [statement for statement in module.statements if statement.defines & known]


def modules_of(program: Path) -> set[Path]:
    """List the files of the package that a program imports, directly or not, without neutral ones."""
    return {path for path in files_of(program) - {program} if not read_module(path).is_neutral}


def libraries_of(program: Path) -> set[str]:
    """Name everything from outside the package that a program and its modules import."""
    return set().union(*(read_file(path).libraries for path in files_of(program)))


def files_of(program: Path) -> set[Path]:
    """Return a program and every file of the package that it imports, directly or not, within functions too."""
    found, waiting = set(), [program]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            module = read_module(path)
            targets = [module.targets, *(statement.targets for statement in module.statements)]
            waiting += [target.path for some in targets for target in some.values()]
    return found


@cache
def read_module(path: Path) -> Module:
    """Read a file into its statements."""
    source = read_file(path)
    statements = [
        Statement(one.defines, one.mentions, one.tokens, targets_at(one.imports, path)) for one in source.statements
    ]
    return Module(statements, targets_at(source.imports, path), source.is_neutral)


def targets_at(imports: dict[str, Imported], path: Path) -> dict[str, Target]:
    """Map the names that imports in the file `path` give to what they lead to."""
    return {name: target_of(*imported, path) for name, imported in imports.items()}


@cache
def read_file(path: Path) -> Source:
    """Return what is written in a file, read once for as long as it stays the same."""
    return read_kept(path, path.relative_to(root_of(path)).as_posix())


def root_of(path: Path) -> Path:
    """Return the folder that holds the package: the nearest, as a copy of the project may have the package's name."""
    return next((folder for folder in path.parents if (folder / PACKAGE).is_dir()), path.parent)


def target_of(module: str, name: str | None, path: Path) -> Target:
    """Return the file that an import leads to, and the name that it takes there, if any."""
    place = root_of(path).joinpath(*module.split("."))
    if name is not None and (found := file_of(place / name)):
        return Target(found, None)
    if (found := file_of(place)) is None or name == "*":
        what = f"from {module} import {name}" if name else f"import {module}"
        raise UnresolvedImport(f"{path.name}: `{what}` does not resolve to a file of the package")
    return Target(found, name)


def file_of(place: Path) -> Path | None:
    """Return the file of a module or package."""
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)
