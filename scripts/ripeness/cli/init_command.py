"""`ripeness init`: read the options, or ask, and make a study."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ripeness.cli.places import part
from ripeness.runtime.errors import UserError

EXAMPLE = "Example: `ripeness init runs/mine/checkpoint-* --rows reviews.jsonl --tokens-per-step 4000000`"
Checkpoints = Annotated[
    list[str] | None,
    typer.Argument(help="Two or more folders, a folder of them, a pattern, a model on the hub, or a run of series/."),
]
Rows = Annotated[Path | None, typer.Option(help="Rows of your own: JSONL, CSV or Parquet.")]
TestRows = Annotated[Path | None, typer.Option(help="Test rows. Default: a part of --rows.")]
Datasets = Annotated[list[str] | None, typer.Option(help="Instead of --rows: a dataset of tasks/, once or more.")]
Answer = Annotated[str | None, typer.Option(help="Column with the right answer. Default: by its name.")]
Inputs = Annotated[
    list[str] | None, typer.Option("--input", help="Column that is asked, once or more. Default: all others with text.")
]
Template = Annotated[str | None, typer.Option(help='Prompt, such as "Review: {{ text }}\\nIt is".')]
Name = Annotated[str, typer.Option(help="Name of the study.")]
Text = Annotated[
    Path | None, typer.Option(help="Text like that of the pre-training, which checkpoints must know. Default: English.")
]
Steps = Annotated[str, typer.Option(help="Steps of the checkpoints, as 1000,2000, where names do not say.")]
Tokens = Annotated[str, typer.Option(help="Tokens of pre-training of each, as 4e9,8e9.")]
PerStep = Annotated[float | None, typer.Option(help="Tokens of one step of pre-training.")]
Rate = Annotated[float | None, typer.Option(help="Rate of the tuning. Default: by the size of the model.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]


def init(
    checkpoints: Checkpoints = None,
    rows: Rows = None,
    test: TestRows = None,
    dataset: Datasets = None,
    answer: Answer = None,
    input_: Inputs = None,
    template: Template = None,
    name: Name = "mine",
    text: Text = None,
    steps: Steps = "",
    tokens: Tokens = "",
    tokens_per_step: PerStep = None,
    learning_rate: Rate = None,
    force: Force = False,
) -> None:
    """Make a study of your checkpoints and rows; show the first item as a model sees it, and what it costs."""
    new_study = part("cli.new_study")
    wishes = new_study.Wishes(
        checkpoints=checkpoints or [],
        name=name,
        rows=rows,
        test=test,
        datasets=dataset or [],
        answer=answer,
        inputs=input_ or [],
        template=template and template.replace("\\n", "\n"),
        gate_text=text,
        steps=numbers("--steps", steps),
        tokens=numbers("--tokens", tokens),
        tokens_per_step=None if tokens_per_step is None else round(tokens_per_step),
        learning_rate=learning_rate,
        force=force,
    )
    study = new_study.make(completed(wishes))
    new_study.show_item(study)
    new_study.forecast(study)


def completed(wishes: Any) -> Any:
    """Ask for what the options lack, on a terminal; UserError where no checkpoint is named."""
    if sys.stdin.isatty() and not (wishes.checkpoints and (wishes.rows or wishes.datasets)):
        wishes = part("cli.questions").completed(wishes)
    if not wishes.checkpoints:
        raise UserError("no checkpoints are named\nhint: ripeness init FOLDER FOLDER --rows my.jsonl (--help)")
    return wishes


def numbers(option: str, text: str) -> list[int]:
    """Read whole numbers, such as 4e9,8e9; UserError for others."""
    try:
        return [round(float(word.replace("_", ""))) for word in text.split(",") if word.strip()]
    except (ValueError, OverflowError):
        raise UserError(f"{option}: {text!r} is not a list of numbers\nhint: {option} 1000,2000") from None
