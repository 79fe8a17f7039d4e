"""Show one thing of a finished study in words: a claim, a cell, an item."""

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.report.power_line import power_line
from ripeness.report.robust_line import robust_line
from ripeness.report.terminal import finding_lines, number
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.wording import deciding_interval, hint, what_it_takes
from ripeness.tables.columns import by_checkpoint, read_cells, read_measurements

CELL = ("series", "checkpoint", "dataset", "format", "method", "seed")
MOST_MODELS = 60  # lines for one item


def show(results: Path, thing: str | None, dataset: str | None) -> list[str]:
    """Write what is known of a claim, a cell or an item; all claims in short without a name."""
    findings = read_json(results / "findings.json", list)
    width = shutil.get_terminal_size().columns
    if thing is None:
        return finding_lines(findings, width=width, is_colour=sys.stdout.isatty())
    if found := next((one for one in findings if one["id"] == thing), None):
        return claim(results, found, width)
    if thing.count("/") >= len(CELL) - 1:
        return cell(results, thing)
    items = item(results, thing, dataset)
    if not items:
        known = [one["id"] for one in findings]
        near = hint(thing, known, otherwise=f"a cell is {'/'.join(CELL)}; an item is its id")
        raise UserError(f"{results} has no claim, cell or item {thing!r}; claims are {', '.join(known)}\n{near}")
    return items


def claim(results: Path, finding: Mapping[str, Any], width: int) -> list[str]:
    """Write a finding: the sentence, the rule that decided, the numbers, its parts, its files, its command."""
    files = [results / "findings.json", results / f"figures/{finding.get('figure')}.csv"]
    end = [f"files: {', '.join(str(path) for path in files if path.is_file())}", command(results, "findings.json")]
    if "answers" in finding:
        return [*textwrap.wrap(finding["statement"], width), *map(json.dumps, finding["answers"]), *end]
    lines = [finding["claim"], f"verdict: {finding['verdict']}", *textwrap.wrap(finding["statement"], width)]
    numbers = {key: finding.get(key) for key in ("effect", "low", "high", "smallest", "p_value", "p_holm", "mde")}
    lines.append("  ".join(f"{key} {value:.4g}" for key, value in numbers.items() if value is not None))
    if interval := deciding_interval(finding):
        lines.append(f"decided, with all claims tested, on {interval}")
    if finding.get("smallest") is not None:
        lines.append(f"an effect within ±{finding['smallest']:g} {finding['unit']} is too small to matter")
    lines += [f"part: {part}" for part in map(part_words, finding.get("parts") or [])]
    lines += [said for said in (what_it_takes(finding), power_line(finding), robust_line(finding)) if said]
    return [*lines, *finding.get("caveats", []), f"source: {finding['source']}", *end]


def part_words(part: Mapping[str, Any]) -> str:
    """Write a part of a claim with its numbers."""
    return ", ".join(f"{key} {number(value) if isinstance(value, float) else value}" for key, value in part.items())


def cell(results: Path, path: str) -> list[str]:
    """Write what happened to a cell and what it scored; UserError for one that the study has not."""
    names = dict(zip(CELL, path.strip("/").removeprefix(f"{results}/cells/").split("/"), strict=False))
    seed = names["seed"].removeprefix("seed")
    if not seed.isdigit():
        raise UserError(f"{path}: the last part of a cell is its seed, such as seed1\nhint: {'/'.join(CELL)}")
    is_it = [pl.col(key) == (int(seed) if key == "seed" else names[key]) for key in CELL]
    rows = read_cells(results / "tables/cells.parquet").filter(*is_it)
    if rows.is_empty():
        raise UserError(f"{results} has no cell {path}\nhint: {results}/tables/cells.parquet has all")
    facts = [f"{key}: {value}" for key, value in rows.row(0, named=True).items() if value not in (None, "")]
    scores = read_measurements(results / "tables/measurements.parquet").filter(*is_it, "is_primary")
    asked = ("suite", "probe", "probe_format", "shots", "split", "metric", "value", "se", "n_items")
    place = f"cells/{'/'.join(names[key] for key in CELL[:-1])}/seed{seed}"
    lines = [*facts, table(scores.select(asked)), f"files: {results / place}"]
    return [*lines, command(results, f"{place}/measurements.parquet")]


def item(results: Path, name: str, dataset: str | None) -> list[str]:
    """Write an item: its question and right answer, and what every model said; nothing for one that is not there."""
    lines = []
    for path in sorted((results / "items").glob(f"{dataset or '*'}/test.jsonl")):
        rows = [
            row for line in path.read_text(encoding="utf-8").splitlines() if (row := json.loads(line))["id"] == name
        ]
        if not rows:
            continue
        lines += [
            f"{path.parent.name}, item {name}",
            *(f"  {key}: {value}" for key, value in rows[0]["fields"].items()),
        ]
        lines.append(f"  right: {rows[0]['target']}")
        said = [
            scores.filter(pl.col("item") == name, pl.col("probe") == path.parent.name, pl.col("split") == "test")
            for scores in by_checkpoint([results / "tables/items"]).values()
        ]
        shown = (
            "series",
            "checkpoint",
            "dataset",
            "format",
            "method",
            "seed",
            "probe_format",
            "shots",
            "prediction",
            "score",
        )
        lines.append(table(pl.concat(said).select(*shown, "margin").unique(maintain_order=True).collect()))
        lines.append(f"files: {path}, {results / 'tables/items'}")
    return lines


def table(frame: pl.DataFrame) -> str:
    """Write a frame as plain text; the files have all of it."""
    with pl.Config(
        tbl_rows=MOST_MODELS, tbl_cols=-1, tbl_width_chars=160, fmt_str_lengths=40, tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True, tbl_formatting="NOTHING",
    ):  # fmt: skip
        return str(frame)


def command(results: Path, target: str) -> str:
    """Write the command that makes a file of a study."""
    return f"made by: ripeness run {results.name} -- {results / target}"
