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

import ast
import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ripeness.workflow.code_tokens import meaning_by_line

PACKAGE = "ripeness"
MARK = "NEUTRAL"
Import = ast.Import | ast.ImportFrom


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

    Imports of this package are not among the tokens but in `targets`, by the name that they are used under. With
    `is_change` it changes what a name stands for, as `x.y = 1` and `x[0] = 1` do.
    """

    defines: frozenset[str]
    mentions: frozenset[str]
    tokens: str
    targets: dict[str, Target]
    is_change: bool


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
    found = set()
    for path in files_of(program):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    return found - {PACKAGE}


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
    rows, tokens = parse(path), meaning_by_line(path.read_text(encoding="utf-8"))
    statements: list[Statement] = []
    targets: dict[str, Target] = {}
    is_neutral = False
    for node in rows.body:
        if isinstance(node, Import) and (found := imports(node, path)) is not None:
            targets |= found
        elif not is_for_types(node):
            statements.append(read_statement(node, tokens, path))
            is_neutral = is_neutral or MARK in statements[-1].defines
    foreign = targets.keys() | {name for node in rows.body if isinstance(node, Import) for name in defined(node)}
    statements = [
        replace(statement, defines=statement.defines - foreign) if statement.is_change else statement
        for statement in statements
    ]
    return Module(statements, targets, is_neutral)


@cache
def parse(path: Path) -> ast.Module:
    """Return the syntax of a file."""
    return syntax_of(path.read_text(encoding="utf-8"), path.name)


@cache
def syntax_of(source: str, name: str) -> ast.Module:
    """Return the syntax of a source text; copies of a file share it."""
    return ast.parse(source, filename=name)


def is_for_types(node: ast.stmt) -> bool:
    """Tell whether a statement is for type checkers alone."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def read_statement(node: ast.stmt, tokens: dict[int, str], path: Path) -> Statement:
    """Read one statement; imports of the package within it count as what they import."""
    first = min([node.lineno, *(line.lineno for line in getattr(node, "decorator_list", []))])
    lines = set(range(first, (node.end_lineno or node.lineno) + 1))
    targets: dict[str, Target] = {}
    names: set[str] = set()
    for inner in names_and_imports(node):
        if isinstance(inner, ast.Name):
            names.add(inner.id)
        elif (found := imports(inner, path)) is not None:
            targets |= found
            lines -= set(range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))
    # what comes before may have been indented, which is nothing of this statement
    text = "\n".join(tokens[line] for line in sorted(lines) if line in tokens).lstrip("\x02\0")
    is_change = isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
    return Statement(frozenset(defined(node)), frozenset(names), text, targets, is_change)


@cache
def names_and_imports(node: ast.AST) -> list[ast.Name | Import]:
    """List the names and the imports within a statement."""
    found: list[ast.Name | Import] = []
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Name | Import):
            found.append(inner)
            continue
        for name in inner._fields:
            value = getattr(inner, name, None)
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting += [one for one in value if isinstance(one, ast.AST)]
    return found


def defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines or changes; none if it does something else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return set()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    bases = [base_of(part) for target in targets for part in getattr(target, "elts", [target])]
    return {base for base in bases if base is not None}


def base_of(node: ast.expr) -> str | None:
    """Return the name of what is assigned to: `x` of x, x.y and x[y]."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def imports(node: Import, path: Path) -> dict[str, Target] | None:
    """Return what an import statement imports from the package, by local name; None for other imports."""
    if isinstance(node, ast.Import):
        ours = [alias for alias in node.names if alias.name.partition(".")[0] == PACKAGE]
        return {alias.asname or alias.name: target_of(alias.name, None, path) for alias in ours} if ours else None
    if node.level:
        base = path.parents[node.level - 1]
        module = ".".join([*base.relative_to(root_of(path)).parts, *filter(None, [node.module])])
    else:
        module = str(node.module)
    if module.partition(".")[0] != PACKAGE:
        return None
    return {alias.asname or alias.name: target_of(module, alias.name, path) for alias in node.names}


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
