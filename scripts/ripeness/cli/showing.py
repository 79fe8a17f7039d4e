"""Show one thing of a finished study in words: a claim, a cell, an item."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from ripeness.report.power_line import power_line
from ripeness.report.robust_line import robust_line
from ripeness.report.terminal import finding_lines, number
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.wording import deciding_interval, hint, what_it_takes
from ripeness.storage.parquet import read_table
from ripeness.tables.changed_items import MOST_ITEMS, changed_items, won_and_lost
from ripeness.tables.columns import IS_CHOSEN, ITEM_SCORES, read_cells, read_measurements
from ripeness.tables.item_panel import Panel, panels

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
        answers = answer_lines(finding["answers"], width)
        return [*textwrap.wrap(finding["statement"], width), "", *answers, *end]
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


def answer_lines(answers: list[dict[str, Any]], width: int) -> list[str]:
    """Write answers: their sentences, each after its way of tuning, or a table of those that have none."""
    sentences = [answer for answer in answers if answer.get("statement")]
    lines = [line for answer in sentences for line in sentence_lines(answer, width)]
    shown = ("series", "indicator", "expects", "accuracy", "accuracy_low", "accuracy_high", "p_holm", "regret", "says")
    rows = [{key: answer[key] for key in shown if key in answer} for answer in answers if answer not in sentences]
    return [*lines, *([table(pl.DataFrame(rows).with_columns(cs.float().round(3)))] if any(rows) else [])]


def sentence_lines(answer: Mapping[str, Any], width: int) -> list[str]:
    """Write one answer as its sentence."""
    method = f"{answer['method']}: " if answer.get("method") else ""
    return textwrap.wrap(f"{method}{answer['statement']}", width, subsequent_indent="  ")


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
    lines = [*facts, table(scores.select(asked)), *items_of_cell(results, names), f"files: {results / place}"]
    return [*lines, command(results, f"{place}/measurements.parquet")]


def items_of_cell(results: Path, names: Mapping[str, str]) -> list[str]:
    """Write which items a tuned model won and lost against its checkpoint, over seeds, and those that changed most."""
    path = results / f"tables/items/{names['series']}/{names['checkpoint']}.parquet"
    if names["method"] == "base" or not path.is_file():
        return []
    is_it = [pl.col(key) == names[key] for key in ("dataset", "format", "method")]
    untouched = pl.col("method") == "base"
    changed = changed_items(
        read_table(path, schema=ITEM_SCORES | IS_CHOSEN).lazy().filter(untouched | pl.all_horizontal(is_it))
    )
    if changed.is_empty():
        return []
    counts = won_and_lost(changed).select(
        "probe", "probe_format", "shots", "won", "lost", "both_right", "both_not_right"
    )
    most = changed.filter(pl.col("change") != 0).head(MOST_ITEMS)
    shown = most.select("item", "probe", "probe_format", "before", "after", "said_before", "said_after")
    lines = ["items against the untouched checkpoint, over all seeds:", table(counts)]
    return [*lines, "items that changed most (ripeness show ITEM):", table(shown)] if most.height else lines


def item(results: Path, name: str, dataset: str | None) -> list[str]:
    """Write an item: its prompts, its right answer, and what every model said; nothing for one that is not there."""
    return [line for panel in panels(results, name, dataset) for line in panel_lines(results, panel)]


def panel_lines(results: Path, panel: Panel) -> list[str]:
    """Write one item: each prompt in full, then each model's answer with its score and its log-likelihoods."""
    lines = [f"{panel.dataset}, item {panel.item}", f"  right: {panel.right}"]
    if not panel.prompts:
        lines += [f"  {key}: {value}" for key, value in panel.fields.items()]
    for form, said in panel.prompts.items():
        lines += [
            "",
            f"prompt in the format {form}, without shots:",
            *(f"  | {line}" for line in said["prompt"].split("\n")),
        ]
        options = said["options"] or []
        lines += [f"  {'right' if one == said['answer'] else 'option'} {one!r}" for one in options]
        lines += [] if options else [f"  right {said['answer']!r}"]
        lines.append(table(answer_rows(panel, form)))
    file = f"files: {panel.file}, {results / 'tables/items'}, {results / 'cells/.../predictions.parquet'}"
    places = panel.rows.select("series", "checkpoint").unique(maintain_order=True).head(1)
    made = [
        command(results, f"tables/items/{series}/{checkpoint}.parquet") for series, checkpoint in places.iter_rows()
    ]
    return [*lines, file, *made]


def answer_rows(panel: Panel, form: str) -> pl.DataFrame:
    """Prepare the answers to an item in one format: untouched first at each checkpoint."""
    rows = panel.rows.filter(probe_format=form).sort("tokens", pl.col("method") != "base", "dataset", "seed", "shots")
    logps = pl.col("logps").list.eval(pl.element().round(2).cast(pl.String())).list.join(" ")
    shown = ("series", "checkpoint", "dataset", "format", "method", "seed", "shots")
    said = pl.coalesce("text", "prediction").alias("answer")
    frame = rows.select(*shown, said, "score", pl.col("margin").round(3), logps.alias("log-likelihoods (nats)"))
    return frame.select(column for column in frame if column.null_count() < frame.height or column.name == "answer")


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
