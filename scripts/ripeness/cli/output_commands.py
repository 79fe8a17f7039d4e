"""The commands that take results elsewhere: compare, export, query."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ripeness.cli.places import part, results_folder

Results = Annotated[str | None, typer.Argument(help="Study, or the folder of its results.")]
First = Annotated[str, typer.Argument(help="Study A, the folder of its results, or its findings.json.")]
Second = Annotated[str, typer.Argument(help="Study B, the same.")]
Html = Annotated[Path | None, typer.Option(help="The page. Default: exports/compare-A-B.html.")]
Items = Annotated[Path | None, typer.Option(help="Also write all items with another score to this CSV file.")]
COMPARE_EXAMPLE = "Example: `ripeness compare results/mine results/other --items changed.csv`"
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


def compare(a: First, b: Second, html: Html = None, items: Items = None) -> None:
    """Compare two finished studies: verdicts that changed, differences on the same items, and items one by one."""
    first, second = folder_of(a), folder_of(b)
    comparison = part("outputs.comparison")
    found = comparison.compare(first, second)
    print(*comparison.lines_of(found, width=shutil.get_terminal_size().columns), sep="\n")
    page = html or Path("exports", f"compare-{first.resolve().name}-{second.resolve().name}.html")
    with part("runtime.files").whole(page) as path:
        path.write_text(comparison.page_of(found), encoding="utf-8")
    print(f"\n{page}")
    if items:
        with part("runtime.files").whole(items) as path:
            comparison.write_items(found, path)
        print(items)


def folder_of(name: str) -> Path:
    """Find results: a study, a folder, or the findings.json of one."""
    path = Path(name)
    return path.parent if path.name == "findings.json" and path.is_file() else results_folder(name)


def export(results: Results = None, to: To = "csv", output: Output = None) -> None:
    """Write results for other tools: tidy tables, tables for a paper, datasets, archives, cards."""
    print(part("outputs.export").export(results_folder(results), to, output))


def query(sql: Sql, results: Results = None, form: Form = "table") -> None:
    """Answer a question in SQL; docs/outputs.md has worked ones."""
    folder = results_folder(results)
    sys.stdout.write(part("outputs.query_text").answered(folder, sql, form))
