"""The recipes of docs/add.md: read from the page, applied to a copy of the project, and run.

A block whose first line after the backticks names a file is that file, or, as `diff`, a change of it. A `console` block
holds commands, each followed by what it prints at least.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from waiting import HANG_SECONDS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/add.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Recipe:
    """What one "add a ..." of the page says: files to write, changes of others, commands and what they print."""

    files: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)  # (file, lines that begin with " ", "-" or "+")
    commands: list[tuple[str, list[str]]] = field(default_factory=list)

    def touched(self) -> set[str]:
        """Files that are new or changed."""
        return {*self.files, *(name for name, _ in self.changes)}


def read_recipes(page: str) -> dict[str, Recipe]:
    """The recipes by what they add: of a heading "## A figure" that is "figure"."""
    sections = re.split(r"^## (?:A|An) (.+)$", page, flags=re.MULTILINE)
    return {title: read_recipe(text) for title, text in zip(sections[1::2], sections[2::2], strict=True)}


def read_recipe(text: str) -> Recipe:
    """The blocks of one section; a block that is none of the three is an error."""
    recipe = Recipe()
    for language, name, body in BLOCK.findall(text):
        if language == "console":
            recipe.commands.extend(read_commands(body))
        elif language == "diff" and name:
            recipe.changes.append((name, body))
        elif name and name not in recipe.files:
            recipe.files[name] = body
        else:
            raise ValueError(f"a block of {language} names no file, or one that another block is: {body}")
    return recipe


def read_commands(body: str) -> list[tuple[str, list[str]]]:
    """(Command, lines that it prints) of a console."""
    commands: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return commands


def patched(text: str, change: str) -> str:
    """The text after a change: lines that begin with "-" go, with "+" come, others stay. Those that go or stay must be
    in the text once, in this order.
    """
    lines = [" \n" if line == "\n" else line for line in change.splitlines(keepends=True)]
    if wrong := [line for line in lines if line[0] not in " +-"]:
        raise ValueError(f"lines that neither stay, go nor come: {wrong}")
    before, after = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
    if text.count(before) != 1 or not before:
        raise ValueError(f"these lines are there {text.count(before)} times:\n{before}")
    return text.replace(before, after)


def copy_whole_project(folder: Path) -> Path:
    """Copy all that git keeps or would keep, with the environment that runs the tests in .venv."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def apply(recipe: Recipe, folder: Path) -> None:
    """Do to a copy of the project what the recipe says; a file that is there already is an error."""
    for name, text in recipe.files.items():
        path = folder / name
        if path.exists():
            raise FileExistsError(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, change in recipe.changes:
        path = folder / name
        path.write_text(patched(path.read_text(), change))


def run(command: str, folder: Path) -> str:
    """Run a command of the page and return what it printed; an assertion fails if its status is not 0."""
    words = shlex.split(command)
    if words[0] == "make":  # which would else look whether .venv is older than the lock files
        words[1:1] = ["-o", ".venv/ready", "-o", ".venv/ready-dev"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}: {done.returncode}\n{said[-6000:]}"
    return said
