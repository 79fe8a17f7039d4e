"""The parts of report.html, as values that the template (reports/page/) only lays out."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import polars as pl
from docutils.core import publish_parts
from markupsafe import Markup

from ripeness.figures.colours import FORMAT_COLOURS, METHOD_COLOURS
from ripeness.figures.panels import in_order
from ripeness.figures.register import FIGURES
from ripeness.report.render import data_uri, json_block
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.wording import human
from ripeness.study.audit_checks import SEVERITIES
from ripeness.tables.intervals import UNTUNED


def caption_html(path: Path, facts: Mapping[str, Any]) -> Markup:
    """Render a caption (reStructuredText with Jinja, as `snakemake --report` reads it) to HTML.

    `facts` stands in for the study's config, of which captions read the number of seeds.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    template = environment.from_string(path.read_text(encoding="utf-8"))
    text = template.render(snakemake=SimpleNamespace(config=facts))
    safe = {
        "raw_enabled": False,
        "file_insertion_enabled": False,
        "report_level": 5,
        "syntax_highlight": "none",
    }
    return Markup(publish_parts(text, writer="html5", settings_overrides=safe)["fragment"])


def facts_of(measurements: pl.DataFrame, cells: pl.DataFrame, perturbed: pl.DataFrame | None = None) -> dict[str, Any]:
    """Say in numbers and names what the study consists of; `perturbed` is the table of sensitivity."""
    tables = [frame for frame in (measurements, cells, perturbed) if frame is not None]
    points = pl.concat([frame.select("series", "checkpoint", "tokens") for frame in tables]).unique()
    status = {name: count for name, count in cells["status"].value_counts().iter_rows()}
    tokens = points["tokens"].sort()
    tuned_on = cells.filter(~pl.col("format").is_in(UNTUNED))
    return {
        "is_simulated": False,
        "series": sorted(set(points["series"])),
        "n_checkpoints": points.select("series", "checkpoint").unique().height,
        "tokens": [human(tokens[0]), human(tokens[-1])] if len(tokens) else [],
        "datasets": sorted(set(tuned_on["dataset"])),
        "formats": in_order(tuned_on["format"], FORMAT_COLOURS),
        "methods": in_order(cells["method"], METHOD_COLOURS),
        "seeds": sorted(set(cells["seed"].drop_nulls())),
        "n_cells": cells.height,
        "n_perturbed": 0 if perturbed is None else perturbed.select("series", "checkpoint").unique().height,
        "status": {name: status.get(name, 0) for name in ("done", "diverged", "missing")},
    }


def figures_of(folder: Path, captions: Path, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read every figure that was plotted, in the order of their register."""
    entries = []
    for figure in FIGURES:
        paths = {kind: folder / f"{figure.id}.{kind}" for kind in ("json", "svg", "csv")}
        if not all(path.exists() for path in paths.values()):
            continue
        spec = read_json(paths["json"], dict)
        # The page has the title as a heading and the findings in its table.
        spec.pop("title", None)
        entries.append(
            {
                "id": figure.id,
                "question": figure.question,
                "finding": spec["description"],
                "caption": caption_html(captions / f"{figure.id}.rst", facts),
                "spec": json_block(spec),
                "svg": data_uri(paths["svg"].read_text(encoding="utf-8"), "image/svg+xml"),
                "csv": data_uri(paths["csv"].read_text(encoding="utf-8"), "text/csv;charset=utf-8"),
            }
        )
    if not entries:
        known = ", ".join(figure.id for figure in FIGURES)
        raise UserError(f"no figures in {folder}; known are {known}\nhint: draw them with plot_figure first")
    return entries


def audit_of(remarks: pl.DataFrame) -> dict[str, Any]:
    """Group the remarks of the audit by check, the most severe first, with the passed checks and a summary."""
    checks: dict[str, dict[str, Any]] = {}
    for row in remarks.filter(pl.col("severity") != "passed").iter_rows(named=True):
        check = checks.setdefault(row["check"], row | {"places": []})
        check["places"].append((row["where"], row["seen"]))
        check["severity"] = min(check["severity"], row["severity"], key=SEVERITIES.index)
    counts = Counter(check["severity"] for check in checks.values() if not check["is_acknowledged"])
    said = [f"{n} {noun}{'' if n == 1 else 's'}" for noun, n in ((s, counts[s]) for s in SEVERITIES) if n]
    if n_acknowledged := sum(check["is_acknowledged"] for check in checks.values()):
        said.append(f"{n_acknowledged} acknowledged")
    n_ran = remarks["check"].n_unique()
    return {
        "checks": sorted(checks.values(), key=lambda check: SEVERITIES.index(check["severity"])),
        "passed": remarks.filter(pl.col("severity") == "passed").select("check", "stage").rows(),
        "line": ", ".join([*said, f"{n_ran} check{'' if n_ran == 1 else 's'} ran"]),
    }


def prompts_by_dataset(prompts: list[dict]) -> dict[str, list[dict]]:
    """Group prompts by dataset: those without shots first, then by format."""
    rank = {name: place for place, name in enumerate(FORMAT_COLOURS)}
    grouped: dict[str, list[dict]] = {}
    for prompt in sorted(prompts, key=lambda p: (p["dataset"], p["shots"], rank.get(p["format"], len(rank)))):
        grouped.setdefault(prompt["dataset"], []).append(prompt)
    return grouped
