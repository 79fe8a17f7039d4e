"""Compare two finished studies: verdicts, scores on the same items, and items one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from ripeness.outputs.differences import differences
from ripeness.outputs.paired_models import ASKED, MODEL, flips, only_series, pair_items
from ripeness.outputs.study_tables import place_of, tables_of
from ripeness.report.change_lines import change_lines, effect_of, name_of
from ripeness.report.changes import changes, digest_of
from ripeness.report.terminal import number
from ripeness.runtime.files import read_entries, read_json
from ripeness.runtime.project import ROOT
from ripeness.tables.columns import read_measurements
from ripeness.tables.finished_results import FINDING

SMALLEST = 0.02  # where a study does not say it
MOST_LINES, MOST_FLIPS, MOST_ON_PAGE = 20, 10, 500
PAGE = ROOT / "reports"


@dataclass(frozen=True)
class Comparison:
    """Two studies, compared: B against A."""

    a: Path
    b: Path
    changed: dict[str, Any]
    differences: pl.DataFrame
    flips: pl.DataFrame
    left_out: Mapping[str, int]
    remarks: tuple[str, ...]


def compare(a: Path, b: Path) -> Comparison:
    """Compare results in two folders; without tables of items only claims are compared, and that is said."""
    found = changes(*(digest_at(results) for results in (a, b)))
    if lacking := [str(results) for results in (a, b) if "items" not in tables_of(results)]:
        said = f"{' and '.join(lacking)}: no tables of items, so that only claims and scores are compared"
        return Comparison(a, b, found, pl.DataFrame(), pl.DataFrame(), {}, (said,))
    pairs = pair_items(a, b)
    remarks = [f"series {theirs} of B is compared with {ours} of A" for ours, theirs in only_series(a, b).items()]
    table = differences(pairs, min(smallest_of(a), smallest_of(b)))
    has_one_seed = (pl.col("method") != "base") & (pl.min_horizontal("seeds_a", "seeds_b") < 2)
    if not table.is_empty() and not table.filter(has_one_seed).is_empty():
        remarks.append("where a tuned model has one seed, the interval covers the sampling of items only")
    if pairs.rows.is_empty():
        remarks.append("no model was asked the same items in both studies")
    return Comparison(a, b, found, table, flips(pairs), pairs.left_out, tuple(remarks))


def digest_at(results: Path) -> dict[str, Any]:
    """Read what is compared of claims and scores."""
    place = place_of(results, "measurements")
    entries = read_entries(results / "findings.json", FINDING)
    return digest_of(entries, read_measurements(place) if place.is_file() else None)


def smallest_of(results: Path) -> float:
    """Read the smallest effect that matters from the settings of a study."""
    path = results / "provenance.json"
    study = read_json(path, dict).get("study", {}) if path.is_file() else {}
    return float(study.get("findings", {}).get("smallest_effect", SMALLEST))


def lines_of(found: Comparison, *, width: int) -> list[str]:
    """Write a comparison for a terminal: verdicts, differences, items, what was left out."""
    lines = [
        f"A: {found.a}",
        f"B: {found.b}",
        "",
        "Claims and scores, A -> B",
        *change_lines(found.changed, width=width),
    ]
    if not found.differences.is_empty():
        table = found.differences
        counts = table["verdict"].value_counts(sort=True).rows()
        said = ", ".join(f"{n} {verdict}" for verdict, n in counts)
        lines += ["", f"The same items, B minus A (95 % interval; Holm over {table.height} rows): {said}"]
        lines += [difference_line(row) for row in table.head(MOST_LINES).iter_rows(named=True)]
        if table.height > MOST_LINES:
            lines.append(f"... and {table.height - MOST_LINES} more; the page has all")
    if not found.flips.is_empty():
        gained = found.flips.filter(pl.col("change") > 0).height
        lines += ["", f"Items with another score: {gained:,} gained, {found.flips.height - gained:,} lost"]
        lines += [flip_line(row) for row in found.flips.head(MOST_FLIPS).iter_rows(named=True)]
        if found.flips.height > MOST_FLIPS:
            lines.append(f"... and {found.flips.height - MOST_FLIPS:,} more; --items FILE.csv writes all")
    lines += ["", *(f"note: {remark}" for remark in found.remarks)] if found.remarks else []
    lines += [f"left out: {n:,} {reason}" for reason, n in found.left_out.items()]
    return lines


def asked_of(row: Mapping[str, Any]) -> str:
    """Name what a model was asked, where that is not what it was tuned on."""
    shots = f", {row['shots']} shots" if row["shots"] else ""
    return f" asked {row['probe']} {row['probe_format']}{shots}"


def difference_line(row: Mapping[str, Any]) -> str:
    """Write one difference."""
    interval = "" if row["low"] is None else f" [{number(row['low'])}, {number(row['high'])}]"
    return (
        f"  {row['verdict']:<11} {name_of(row)}{asked_of(row)}: {row['a']:.3f} -> {row['b']:.3f}, "
        f"{number(row['difference'])}{interval}, {row['won']} won, {row['lost']} lost of {row['n_items']}"
    )


def flip_line(row: Mapping[str, Any]) -> str:
    """Write one item that changed."""
    said = " -> ".join(repr(row[key] or "")[:60] for key in ("prediction", "prediction_b"))
    right = repr((row["answer"] or "").strip())[:60]
    return f"  {number(row['change'])} {row['item']} ({name_of(row)}{asked_of(row)}): {said}, right {right}"


def page_of(found: Comparison) -> str:
    """Write a comparison as a page that opens without a network and runs no script."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([PAGE / "comparison", PAGE / "page"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"effect": effect_of, "model": name_of, "asked": asked_of, "signed": number}
    return environment.get_template("comparison.html.j2").render(
        a=found.a,
        b=found.b,
        changed=found.changed,
        differences=found.differences.to_dicts(),
        flips=found.flips.head(MOST_ON_PAGE).to_dicts(),
        n_flips=found.flips.height,
        left_out=found.left_out,
        remarks=found.remarks,
        style=Markup((PAGE / "page/page.css").read_text(encoding="utf-8")),
    )


def write_items(found: Comparison, path: Path) -> None:
    """Write all items with another score as CSV."""
    columns = [*MODEL, *ASKED, "item", "prompt", "answer", "prediction", "prediction_b", "score", "score_b", "margin"]
    rows = found.flips.select(*columns, "margin_b", "change") if found.flips.columns else found.flips
    renamed = {name: f"{name}_a" for name in ("prediction", "score", "margin")}
    rows.rename(renamed, strict=False).write_csv(path)
