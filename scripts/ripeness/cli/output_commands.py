"""The commands that take results elsewhere: compare, export, query."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ripeness.cli.places import part, results_folder

Results = Annotated[str | None, typer.Argument(help="Study, or the folder of its results.")]
EXPORTS = (
    "csv, parquet, markdown, latex, every-eval-ever, hf-dataset, ro-crate, model-cards, trackio, wandb (the last two "
    "if they are installed)"
)
To = Annotated[str, typer.Option(help=f"What to write: {EXPORTS}.")]
Output = Annotated[Path | None, typer.Option(help="Where. Default: exports/<study>-<kind>.")]
EXPORT_EXAMPLE = "Examples: `ripeness export mine`, `ripeness export mine --to latex --output paper/scores.tex`"
QUERY_EXAMPLE = (
    'Example: `ripeness query "SELECT dataset, checkpoint, avg(gain) FROM scores GROUP BY ALL ORDER BY ALL"`'
)
Sql = Annotated[str, typer.Argument(help="SQL of DuckDB over the tables of docs/tables.md, and scores.")]
Form = Annotated[str, typer.Option("--format", help="table, csv or json.")]


def export(results: Results = None, to: To = "csv", output: Output = None) -> None:
    """Write results for other tools: tidy tables, tables for a paper, datasets, archives, cards."""
    print(part("outputs.export").export(results_folder(results), to, output))


def query(sql: Sql, results: Results = None, form: Form = "table") -> None:
    """Answer a question in SQL; docs/outputs.md has worked ones."""
    folder = results_folder(results)
    sys.stdout.write(part("outputs.query_text").answered(folder, sql, form))
