"""Ask at a terminal what `ripeness init` was not given: only what it needs, each with the guess as the answer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import typer

from ripeness.cli.new_checkpoints import series_of
from ripeness.cli.new_study import NAME, TASKS, Wishes
from ripeness.cli.new_task import guessed, rows_of
from ripeness.data.row_files import read_rows
from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT, searched
from ripeness.runtime.wording import hint

Ask = Callable[[str, str], str]  # of the question and the answer to an empty line


def from_terminal(question: str, default: str) -> str:
    """Ask one question; an empty line takes the default, which may be empty."""
    return str(typer.prompt(question, default=default, show_default=bool(default))).strip()


def completed(wishes: Wishes, ask: Ask = from_terminal) -> Wishes:
    """Ask for checkpoints, their tokens, rows, the answer's column and the name, where they are not given or known."""
    if not wishes.checkpoints:
        words = until_right(ask, "Checkpoints (folders, a pattern, or a model on the hub)", "", folders_or_hub)
        wishes = replace(wishes, checkpoints=words.split())
    wishes = with_tokens(wishes, ask)
    if not (wishes.rows or wishes.datasets):
        named = until_right(ask, "Rows (a JSONL, CSV or Parquet file), or a dataset that comes with ripeness", "", rows)
        is_file = Path(named).is_file()
        wishes = replace(wishes, rows=Path(named)) if is_file else replace(wishes, datasets=named.split())
        if is_file:
            wishes = with_columns(wishes, ask)
        wishes = replace(wishes, name=until_right(ask, "Name of the study", wishes.name, study_name))
        text = until_right(ask, "A file with text like that of the pre-training (empty: English)", "", file_or_nothing)
        wishes = replace(wishes, gate_text=Path(text)) if text else wishes
    return wishes


def until_right(ask: Ask, question: str, default: str, check: Callable[[str], None]) -> str:
    """Ask again, with the reason, until the answer can be used."""
    while True:
        answer = ask(question, default)
        try:
            check(answer)
            return answer
        except UserError as error:
            print(error)


def with_tokens(wishes: Wishes, ask: Ask) -> Wishes:
    """Ask for the tokens of one step where neither names nor files of the checkpoints say how many they have seen."""
    try:
        series_of(wishes.checkpoints, wishes.steps, wishes.tokens, wishes.tokens_per_step)
    except UserError as error:
        if "its tokens of pre-training" not in str(error):
            raise
        answer = until_right(ask, "Tokens of one step of pre-training (batch x sequence, such as 4e6)", "", a_number)
        return replace(wishes, tokens_per_step=round(float(answer)))
    return wishes


def with_columns(wishes: Wishes, ask: Ask) -> Wishes:
    """Ask which column holds the right answer, and which are asked; the guess by names is the default."""
    rows_file = wishes.rows
    if rows_file is None:
        return wishes
    table = rows_of(rows_file)
    known = list(dict.fromkeys(name for row in table for name in row))
    print(f"{len(table):,} rows with the columns {', '.join(known)}")

    def is_column(words: str) -> None:
        guessed(table, answer=words.split(",")[0].strip() or None)

    try:
        guess = guessed(table, answer=wishes.answer).answer
    except UserError:
        guess = ""
    answer = until_right(ask, "Column with the right answer", guess, is_column)
    inputs = ", ".join(guessed(table, answer=answer, inputs=wishes.inputs).inputs)

    def are_columns(words: str) -> None:
        guessed(table, answer=answer, inputs=names_in(words))

    asked = until_right(ask, "Columns that are asked", inputs, are_columns)
    return replace(wishes, answer=answer, inputs=names_in(asked))


def names_in(words: str) -> list[str]:
    """Split names at commas."""
    return [word.strip() for word in words.split(",") if word.strip()]


def folders_or_hub(words: str) -> None:
    """Refuse checkpoints that are not there; whether step and tokens are known is asked later."""
    if not words:
        raise UserError("which checkpoints?\nhint: two or more folders, or a pattern such as runs/mine/checkpoint-*")
    try:
        series_of(words.split(), [], [], 1)
    except UserError as error:
        if "of pre-training is not known" not in str(error):
            raise


def rows(name: str) -> None:
    """Refuse what is neither a file of rows nor a dataset that comes with ripeness."""
    if Path(name).is_file():
        read_rows(Path(name))
        return
    known = sorted({path.stem for folder in searched(ROOT / TASKS) for path in folder.glob("*.yaml")})
    if wrong := [word for word in name.split() if word not in known] or ([] if name else [""]):
        near = hint(wrong[0], known, otherwise="a file of rows, or one of the names in tasks/")
        raise UserError(f"there is no file and no dataset {wrong[0]!r}\n{near}")


def study_name(name: str) -> None:
    """Refuse what is no name of a study."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is not a valid name of a study\nhint: use lower-case letters, digits and hyphens, such as mine-1"
        )


def file_or_nothing(name: str) -> None:
    """Refuse the name of a file that is not there."""
    if name and not Path(name).is_file():
        raise UserError(f"there is no file {name}\nhint: an empty line takes English text")


def a_number(text: str) -> None:
    """Refuse what is not a number of tokens."""
    try:
        is_right = round(float(text)) > 0
    except (ValueError, OverflowError):
        is_right = False
    if not is_right:
        raise UserError(f"{text!r} is not a number of tokens\nhint: 4e6, or 4194304")
