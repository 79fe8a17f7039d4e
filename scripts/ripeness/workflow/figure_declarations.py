"""The figures that there are, read from their source.

To import what draws them takes a second, and planning is to do without libraries of numbers and charts.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FIGURES = Path(__file__).parents[1] / "figures"


@dataclass(frozen=True)
class Declared:
    """What a figure says of itself; `needs` are keys of `NEEDS` in lookups/analyse.py."""

    id: str
    section: str
    needs: tuple[str, ...]


@cache
def declared_figures() -> tuple[Declared, ...]:
    """Read the figures of figures/register.py, in its order; ValueError where one is not declared in plain text."""
    register = ast.parse((FIGURES / "register.py").read_text(encoding="utf-8"))
    modules = {
        alias.asname: str(node.module).rpartition(".")[2]
        for node in ast.walk(register)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == "FIGURE"
    }
    listed = assigned(register, "FIGURES")
    names = [element.id for element in getattr(listed, "elts", []) if isinstance(element, ast.Name)]
    return tuple(declaration(FIGURES / f"{modules[name]}.py") for name in names)


def declaration(path: Path) -> Declared:
    """Read `FIGURE = Figure(id=..., section=..., needs=...)` of one file."""
    call = assigned(ast.parse(path.read_text(encoding="utf-8")), "FIGURE")
    given = {keyword.arg: keyword.value for keyword in getattr(call, "keywords", [])}
    return Declared(*(ast.literal_eval(given[name]) for name in ("id", "section", "needs")))


def assigned(module: ast.Module, name: str) -> ast.expr | None:
    """Find what a module assigns to a name."""
    for node in module.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value
    return None
