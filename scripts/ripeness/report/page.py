"""The parts of report.html, as values that the template (reports/report.html.j2) only lays out.

Text made by models and datasets is untrusted: the template escapes everything but what is made here as
`Markup`, and the page carries a policy that lets only its own two scripts run and nothing be loaded.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import polars as pl
from docutils.core import publish_parts
from markupsafe import Markup

from ripeness.figures.frames import with_labels
from ripeness.figures.panels import FORMAT_COLOURS, METHOD_COLOURS, in_order
from ripeness.figures.register import FIGURES
from ripeness.report.definitions import defined
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.wording import human
from ripeness.study.audit_checks import SEVERITIES
from ripeness.tables.chosen_rates import choose_rates
from ripeness.tables.columns import HAS_VALUE, IS_OWN
from ripeness.tables.intervals import POINT, UNTUNED, pooled, scores

MOST_ROWS = 300  # of the table of scores; more are for a program to read


def data_uri(content: str, kind: str) -> str:
    """Write text as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content.encode()).decode()}"


def json_block(value: Any) -> Markup:
    """Write JSON such that it can stand in a script element: no `<`, so nothing can end the element."""
    return Markup(json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"))


def script(source: str) -> tuple[Markup, str]:
    """Make an inline script and the source expression that permits exactly it in a security policy."""
    source = "\n" + source.replace("</script", "<\\/script") + "\n"
    return Markup(source), f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


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
        # The page has the question as a heading and the findings in its table.
        spec.pop("title", None)
        entries.append(
            {
                "id": figure.id,
                "question": figure.question,
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


def are_alike(value: Mapping[str, Any]) -> bool:
    """Say whether a mapping holds two or more mappings with the same keys, that is, a table."""
    keys = {tuple(part) if isinstance(part, Mapping) else None for part in value.values()}
    return len(value) > 1 and len(keys) == 1 and None not in keys


def score_table(measurements: pl.DataFrame) -> dict[str, Any]:
    """Tabulate primary scores of every checkpoint, on the dataset and in the format tuned in: mean ± standard error.

    One row for each dataset and treatment (the untouched model by number of shots, each method), one column
    for each checkpoint. `n_rows` is the number of rows; beyond MOST_ROWS none is given.
    """
    own = scores(measurements).filter(
        pl.col("probe_kind") != "text", IS_OWN, pl.col("format") == pl.col("probe_format")
    )
    table = with_labels(pooled(own, ["series", *POINT[1:], "probe", "method", "shots"]), "probe")
    deviation = (pl.col("item_variance") + pl.col("seed_variance")).sqrt()
    table = table.with_columns(deviation.alias("se")).sort("panel", "method", "shots")
    columns = table.sort("order")["label"].unique(maintain_order=True).to_list()
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in table.iter_rows(named=True):
        treatment = f"untouched, {row['shots']} shots" if row["method"] == "base" else f"tuned ({row['method']})"
        cell = f"{row['value']:.2f}" + ("" if row["se"] is None else f" ± {row['se']:.2f}")
        rows.setdefault((row["panel"], treatment), {})[row["label"]] = cell
    shown = rows if len(rows) <= MOST_ROWS else {}
    return {
        "columns": columns,
        "rows": [(*name, [values.get(c, "–") for c in columns]) for name, values in shown.items()],
        "n_rows": len(rows),
    }


def tie_counts(measurements: pl.DataFrame) -> dict[str, Any]:
    """Count measurements of choices in which items have two best options, and find the largest share of such items."""
    ties = measurements.filter(HAS_VALUE, pl.col("metric") == "ties")
    return {"n": ties.height, "n_tied": (ties["value"] > 0).sum(), "most": ties["value"].max() or 0.0}


def rate_table(
    measurements: pl.DataFrame, cells: pl.DataFrame, choose_by: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Tabulate validation scores of all candidate learning rates by checkpoint, with the chosen one.

    Losses of the methods of which `choose_by` says "loss". One row for each dataset, method, format and rate; a value
    is (text, whether the rate was chosen).
    """
    points = cells.select("series", "checkpoint", "tokens", "phase").unique()
    rates = choose_rates(measurements, cells, choose_by).join(points, on=["series", "checkpoint"])
    if rates.is_empty():
        return {"columns": [], "rows": [], "n_chosen": 0, "n_at_edge": 0}
    table = with_labels(rates, "dataset").sort("panel", "method", "format", "learning_rate")
    columns = table.sort("order")["label"].unique(maintain_order=True).to_list()
    rows: dict[tuple, dict[str, tuple[str, bool]]] = {}
    for row in table.iter_rows(named=True):
        text = "–" if row["value"] is None else f"{row['value']:.2f}"
        if row["n_diverged"]:
            text += f" ({row['n_diverged']} of {row['n_seeds']} diverged)"
        method = row["method"] + (" (by loss)" if (choose_by or {}).get(row["method"]) == "loss" else "")
        name = (row["panel"], method, row["format"], f"{row['learning_rate']:g}")
        rows.setdefault(name, {})[row["label"]] = (text, row["is_chosen"])
    return {
        "columns": columns,
        "rows": [(*name, [values.get(c, ("", False)) for c in columns]) for name, values in rows.items()],
        "n_chosen": rates["is_chosen"].sum(),
        "n_at_edge": rates["is_at_edge"].sum(),
    }


def reference_table(measurements: pl.DataFrame) -> dict[str, Any]:
    """Tabulate every metric of the tasks of lm-eval at every checkpoint: mean ± standard error, with the source.

    One row for each task, metric, number of shots and treatment (untouched, or tuned on a dataset by a method).
    """
    rows = measurements.filter(HAS_VALUE, pl.col("probe_kind") == "harness")
    if rows.is_empty():
        return {"columns": [], "rows": [], "sources": []}
    tuned = pl.format("tuned on {} ({})", "dataset", "method")
    rows = rows.with_columns(
        treatment=pl.when(pl.col("method") == "base").then(pl.lit("untouched")).otherwise(tuned),
        has_error=pl.col("se").is_not_null(),
    )
    name = ["panel", "metric", "shots", "treatment"]
    table = pooled(rows, ["series", *POINT[1:], "probe", *name[1:], "has_error"])
    # the untouched model first
    table = with_labels(table, "probe").sort(*name[:3], pl.col("treatment") != "untouched", "treatment")
    columns = table.sort("order")["label"].unique(maintain_order=True).to_list()
    values: dict[tuple, dict[str, str]] = {}
    for row in table.iter_rows(named=True):
        error = f" ± {(row['item_variance'] + row['seed_variance']) ** 0.5:.3f}" if row["has_error"] else ""
        values.setdefault(tuple(row[key] for key in name), {})[row["label"]] = f"{row['value']:.3f}{error}"
    return {
        "columns": columns,
        "rows": [(*key, [found.get(c, "–") for c in columns]) for key, found in values.items()],
        "sources": sorted(set(rows["source"])),
    }


def markdown(table: Mapping[str, Any]) -> str:
    """Write the table of scores in Markdown."""
    lines = [["dataset", "model", *table["columns"]], ["---"] * (2 + len(table["columns"]))]
    lines += [[dataset, treatment, *values] for dataset, treatment, values in table["rows"]]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def prompts_by_dataset(prompts: list[dict]) -> dict[str, list[dict]]:
    """Group prompts by dataset: those without shots first, then by format."""
    rank = {name: place for place, name in enumerate(FORMAT_COLOURS)}
    grouped: dict[str, list[dict]] = {}
    for prompt in sorted(prompts, key=lambda p: (p["dataset"], p["shots"], rank.get(p["format"], len(rank)))):
        grouped.setdefault(prompt["dataset"], []).append(prompt)
    return grouped


def render(template: Path, context: Mapping[str, Any], *, bundle: str, page_script: str) -> str:
    """Fill the template; `bundle` (the charts' library) and `page_script` are all that will run."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The bundle's top-level names would clash with those of the page.
    (library, library_hash), (own, own_hash) = script(f"(function(){{{bundle}}})();"), script(page_script)
    policy = (
        f"default-src 'none'; script-src {library_hash} {own_hash}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    environment.globals["alike"] = are_alike
    environment.filters["defined"] = defined
    scripts = {"library": library, "page_script": own, "policy": policy}
    return environment.get_template(template.name).render(**context, **scripts)
