"""Write a card for each kept model: what it was tuned from, on and how, and its scores, as the hub reads them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from ripeness.outputs.study_tables import place_of
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.tables.columns import REPORTED, read_measurements
from ripeness.tables.intervals import scores

TASKS = {"choice": "multiple-choice", "generation": "text-generation", "preference": "text-classification"}
CELL = ("series", "checkpoint", "dataset", "format", "method", "seed")


def write(results: Path, folder: Path) -> None:
    """Write <folder>/<place of the model>/README.md for each kept model; UserError where none was kept."""
    kept = list(kept_models(results))
    if not kept:
        raise UserError(
            f"{results} has kept no tuned model\nhint: `keep_models: best` in the study keeps some; run it again"
        )
    measurements = read_measurements(place_of(results, "measurements")).filter(REPORTED)
    provenance = read_json(results / "provenance.json", dict)
    for model, facts in kept:
        target = folder / model.parent.relative_to(results) / "README.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        training = model.parent / "training.json"
        settings = read_json(training, dict).get("settings", {}) if training.is_file() else {}
        target.write_text(card(model, facts, measurements, provenance, settings), encoding="utf-8")


def kept_models(results: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """List the folders of kept models, with the cell that each is of."""
    for path in sorted(results.glob("best/*/*/*/*/model")):
        series, checkpoint, dataset, method = path.parts[-5:-1]
        choice = read_json(path.parent / "choice/choice.json", dict)
        known = {"series": series, "checkpoint": checkpoint, "dataset": dataset, "method": method}
        yield path, known | {key: choice[key] for key in ("format", "seed", "learning_rate")}
    for path in sorted(results.glob("cells/*/*/*/*/*/seed*/model")):
        names = dict(zip(CELL, path.parts[-7:-1], strict=True))
        yield path, names | {"seed": int(names["seed"].removeprefix("seed"))}


def card(
    model: Path, facts: Mapping[str, Any], measurements: pl.DataFrame, provenance: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> str:  # fmt: skip
    """Write the card of one model."""
    is_it = [pl.col(key) == value for key, value in facts.items() if key != "learning_rate" and value is not None]
    rows = scores(measurements).filter(*is_it).sort("suite", "probe", "probe_format", "shots")
    base = f"{facts['series']} {facts['checkpoint']}"
    known = provenance["datasets"].get(facts["dataset"], {})
    source = known.get("source", {})
    name = "-".join((facts["checkpoint"], facts["dataset"], facts["method"]))
    head = {
        "base_model": base_model(provenance, base),
        "library_name": "transformers",
        "license": "unknown",
        "tags": ["ripeness", "fine-tuned", str(settings.get("kind", facts["method"]))],
        "datasets": [source["hub"]] if isinstance(source, Mapping) and source.get("hub") else None,
        "model-index": [{"name": name, "results": [result(row) for row in rows.iter_rows(named=True)]}],
    }
    text = yaml.safe_dump({key: value for key, value in head.items() if value}, sort_keys=False, allow_unicode=True)
    lines = [
        *("---", text.rstrip(), "---", "", f"# {name}", ""),
        f"The checkpoint {base}, tuned on `{facts['dataset']}` in the format `{facts['format']}` by "
        f"`{facts['method']}`, seed {facts['seed']}. Test items chose nothing.",
        "",
        *("| setting | value |", "|---|---|"),
        *(f"| {key} | {value} |" for key, value in settings.items()),
        "",
        *("| asked | format | shots | metric | score | standard error | items |", "|---|---|---|---|---|---|---|"),
        *(score_line(row) for row in rows.iter_rows(named=True)),
        "",
        f"Licence of the dataset: {known.get('licence', 'not stated')}. "
        "Licence of the checkpoint: that of its publisher.",
        "",
        f"Made with ripeness {provenance['software'].get('ripeness', '')}. A plain model folder: "
        f"`python scripts/export_model.py {model} FOLDER`.",
        "",
    ]
    return "\n".join(lines)


def base_model(provenance: Mapping[str, Any], name: str) -> str | None:
    """Name the checkpoint on the hub, if it has come from there."""
    known = provenance.get("checkpoints", {}).get(name, {})
    return known.get("repo")


def result(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make an entry of the model index."""
    return {
        "task": {"type": TASKS.get(row["probe_kind"], "text-generation")},
        "dataset": {"name": f"{row['probe']} ({row['probe_format']}, {row['shots']} shots)", "type": row["probe"]},
        "metrics": [{"type": row["metric"], "value": round(row["value"], 6)}],
    }


def score_line(row: Mapping[str, Any]) -> str:
    """Write a score as a line of the table."""
    error = "–" if row["se"] is None else f"{row['se']:.4f}"
    asked = (row["probe"], row["probe_format"], row["shots"], row["metric"])
    return f"| {' | '.join(map(str, asked))} | {row['value']:.4f} | {error} | {row['n_items']} |"
