"""Read a source text into the statements at its top level: what each defines, mentions and imports, and its tokens."""

import ast
from dataclasses import dataclass, replace
from functools import cache

from ripeness.workflow.code_tokens import meaning_by_line

PACKAGE = "ripeness"
MARK = "NEUTRAL"
AnyImport = ast.Import | ast.ImportFrom
# What an import of this package names: a module with dots, and one of its names, if any.
Imported = tuple[str, str | None]


@dataclass(frozen=True)
class Written:
    """A statement as it is written: the names that it defines, those that it mentions, its tokens, its imports.

    With `is_change` it changes what a name stands for, as `x.y = 1` and `x[0] = 1` do.
    """

    defines: frozenset[str]
    mentions: frozenset[str]
    tokens: str
    imports: dict[str, Imported]
    is_change: bool


@dataclass(frozen=True)
class Source:
    """A source text: its statements in order, its imports of this package, and libraries from outside, anywhere."""

    statements: list[Written]
    imports: dict[str, Imported]
    libraries: frozenset[str]
    is_neutral: bool


@cache
def read_source(text: str, place: str) -> Source:
    """Read the text of the file that is at `place` in the folder of the package, with `/` between the parts.

    Copies of the project share what was read.
    """
    syntax, tokens = ast.parse(text, filename=place), meaning_by_line(text)
    statements: list[Written] = []
    imported: dict[str, Imported] = {}
    for node in syntax.body:
        if isinstance(node, AnyImport) and (found := imports(node, place)) is not None:
            imported |= found
        elif not is_for_types(node):
            statements.append(read_statement(node, tokens, place))
    is_neutral = any(MARK in statement.defines for statement in statements)
    foreign = imported.keys() | {name for node in syntax.body if isinstance(node, AnyImport) for name in defined(node)}
    statements = [
        replace(statement, defines=statement.defines - foreign) if statement.is_change else statement
        for statement in statements
    ]
    return Source(statements, imported, libraries(syntax), is_neutral)


def libraries(syntax: ast.Module) -> frozenset[str]:
    """Name everything from outside the package that a file imports, within functions too."""
    found = set()
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return frozenset(found - {PACKAGE})


def is_for_types(node: ast.stmt) -> bool:
    """Tell whether a statement is for type checkers alone."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def read_statement(node: ast.stmt, tokens: dict[int, str], place: str) -> Written:
    """Read one statement; imports of the package within it count as what they import."""
    first = min([node.lineno, *(line.lineno for line in getattr(node, "decorator_list", []))])
    lines = set(range(first, (node.end_lineno or node.lineno) + 1))
    imported: dict[str, Imported] = {}
    names: set[str] = set()
    for inner in names_and_imports(node):
        if isinstance(inner, ast.Name):
            names.add(inner.id)
        elif (found := imports(inner, place)) is not None:
            imported |= found
            lines -= set(range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))
    # what comes before may have been indented, which is nothing of this statement
    text = "\n".join(tokens[line] for line in sorted(lines) if line in tokens).lstrip("\x02\0")
    is_change = isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
    return Written(frozenset(defined(node)), frozenset(names), text, imported, is_change)


def names_and_imports(node: ast.AST) -> list[ast.Name | AnyImport]:
    """List the names and the imports within a statement."""
    found: list[ast.Name | AnyImport] = []
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Name | AnyImport):
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


def imports(node: AnyImport, place: str) -> dict[str, Imported] | None:
    """Return what an import statement imports from the package, by local name; None for other imports."""
    if isinstance(node, ast.Import):
        ours = [alias for alias in node.names if alias.name.partition(".")[0] == PACKAGE]
        return {alias.asname or alias.name: (alias.name, None) for alias in ours} if ours else None
    module = str(node.module)
    if node.level:
        folders = place.split("/")[: -node.level]
        module = ".".join([*folders, *filter(None, [node.module])])
    if module.partition(".")[0] != PACKAGE:
        return None
    return {alias.asname or alias.name: (module, alias.name) for alias in node.names}
