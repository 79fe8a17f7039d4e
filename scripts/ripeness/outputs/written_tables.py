"""Write scores and claims of a study as tables for a paper: Markdown, or LaTeX with booktabs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.figures.frames import with_labels
from ripeness.outputs.study_tables import place_of, tables_of
from ripeness.report.terminal import number
from ripeness.runtime.files import read_entries
from ripeness.tables.columns import IS_OWN, REPORTED, read_measurements
from ripeness.tables.finished_results import FINDING
from ripeness.tables.intervals import POINT, compared, pooled, scores, with_interval

KINDS = ("choice", "generation", "preference")  # whose main scores are shares
MINUS = "−"
TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", MINUS: "$-$", "–": "--", "→": r"$\to$",
    "γ": r"$\gamma$", "λ": r"$\lambda$", "×": r"$\times$", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
Table = tuple[Sequence[str], Sequence[Sequence[str]]]
CAPTIONS = {
    "scores": "Main score on test items: mean over seeds, with its 95 % interval over items and seeds. Each model is "
    "asked in the format that it was tuned in.",
    "claims": "Claims with effect and interval.",
}


def tables_for_paper(results: Path) -> dict[str, Table]:
    """Make the tables of scores and of claims, as text: a head, and rows."""
    found = {}
    if "measurements" in tables_of(results):
        found["scores"] = score_rows(read_measurements(place_of(results, "measurements")).filter(REPORTED))
    entries = read_entries(results / "findings.json", FINDING)
    found["claims"] = claim_rows([entry for entry in entries if "answers" not in entry])
    return found


def score_rows(measurements: pl.DataFrame) -> Table:
    """Tabulate main scores: a row for each dataset, format and way of tuning, a column for each checkpoint.

    Where there are several series, a row is of one of them, which stands before the dataset.
    """
    own = compared(scores(measurements)).filter(
        IS_OWN, pl.col("probe_kind").is_in(KINDS), pl.col("format") == pl.col("probe_format")
    )
    by = ["series", *POINT[1:], "probe", "probe_format", "method"]
    points = with_interval(pooled(own, by), is_share=True)
    table = with_labels(points, "probe").sort("panel", "probe_format", pl.col("method") != "base", "method")
    columns = table.sort("order")["label"].unique(maintain_order=True).to_list()
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in table.iter_rows(named=True):
        treatment = "untouched" if row["method"] == "base" else row["method"]
        error = "" if row["low"] is None else f" [{max(row['low'], 0):.2f}, {min(row['high'], 1):.2f}]"
        rows.setdefault((row["panel"], row["probe_format"], treatment), {})[row["label"]] = f"{row['value']:.2f}{error}"
    head = ["dataset", "format", "model", *columns]
    return head, [[*name, *(values.get(column, "–") for column in columns)] for name, values in rows.items()]


def claim_rows(findings: Sequence[Mapping[str, Any]]) -> Table:
    """Tabulate claims: verdict, effect with its interval, corrected p."""
    rows = []
    for one in findings:
        known = one.get("effect") is not None
        interval = f"{number(one['effect'])} [{number(one['low'])}, {number(one['high'])}]" if known else "–"
        p = "–" if one.get("p_holm") is None else f"{one['p_holm']:.2g}"
        rows.append([one["claim"], one["verdict"], interval, one.get("unit") or "", p])
    return ["claim", "verdict", "effect [interval]", "unit", "p (Holm)"], rows


def write_markdown(results: Path, path: Path) -> None:
    """Write the tables as Markdown."""
    parts = []
    for name, (head, rows) in tables_for_paper(results).items():
        lines = [head, ["---"] * len(head), *rows]
        parts += [
            f"{CAPTIONS[name]}\n",
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines),
            "",
        ]
    path.write_text("\n".join(parts), encoding="utf-8")


def write_latex(results: Path, path: Path) -> None:
    """Write the tables as LaTeX: \\input{} the file in a document that loads booktabs and longtable."""
    parts = ["% needs \\usepackage{booktabs,longtable}"]
    for name, (head, rows) in tables_for_paper(results).items():
        columns = "lll" + "r" * (len(head) - 3) if name == "scores" else "p{.35\\linewidth}llp{.2\\linewidth}l"
        parts += [
            f"\\begin{{longtable}}{{{columns}}}",
            f"\\caption{{{tex(CAPTIONS[name])}}} \\label{{tab:{name}}} \\\\",
            "\\toprule",
            f"{' & '.join(map(tex, head))} \\\\",
            "\\midrule",
            "\\endhead",
            *(f"{' & '.join(map(tex, row))} \\\\" for row in rows),
            "\\bottomrule",
            "\\end{longtable}",
            "",
        ]
    path.write_text("\n".join(parts), encoding="utf-8")


def tex(text: str) -> str:
    """Write a text such that LaTeX prints it as it is."""
    return "".join(TEX.get(letter, letter) for letter in text)
