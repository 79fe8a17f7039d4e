"""Export measurements and items in the schema of Every Eval Ever (github.com/evaleval/every_eval_ever), version 0.3.0.

A model is one JSON file, data/<study>/<series>/<model>/<uuid>.json, with a line of <uuid>_samples.jsonl for each item.
Names and ids are functions of the results, so that a second export of the same results is the same.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.outputs.study_tables import place_of, tables_of
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.project import code_version
from ripeness.storage.parquet import scan_table
from ripeness.study.scoring.metrics import BY_NAME
from ripeness.tables.columns import HAS_VALUE, IS_CHOSEN, ITEM_SCORES, REPORTED, read_measurements
from ripeness.tables.item_prompts import asked_items, with_questions

SCHEMA = "0.3.0"
MODEL = ("series", "checkpoint", "dataset", "format", "method", "learning_rate", "seed")
ASKED = ("suite", "probe", "probe_format", "shots", "split")
UNTOUCHED = "base"
Row = Mapping[str, Any]


def write(results: Path, folder: Path) -> None:
    """Write the files below `folder`/data; UserError for results without measurements."""
    if "measurements" not in tables_of(results):
        raise UserError(f"{results} has no measurements of models\nhint: --to csv writes what it has")
    measurements = read_measurements(place_of(results, "measurements")).filter(REPORTED, HAS_VALUE)
    provenance = read_json(results / "provenance.json", dict)
    made = str(int((results / "findings.json").stat().st_mtime))
    asked = asked_items(results, splits=("test",))
    for place, part in measurements.group_by("series", "checkpoint", maintain_order=True):
        items = items_at(results / f"tables/items/{place[0]}/{place[1]}.parquet", asked)
        for name, rows in models_of(part):
            its_own = items.filter(*is_model(rows.row(0, named=True)))
            write_model(folder, name, rows, its_own, provenance=provenance, made=made)


def models_of(measurements: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Split measurements by model: the untouched checkpoint with all its probes, or one tuned model."""
    is_untouched = pl.col("method") == UNTOUCHED
    by = measurements.with_columns(
        pl.when(~is_untouched).then(name).alias(f"model_{name}") for name in ("dataset", "format", "learning_rate")
    )
    keys = ["series", "checkpoint", "method", "seed", "model_dataset", "model_format", "model_learning_rate"]
    for _, rows in by.group_by(keys, maintain_order=True):
        first = rows.row(0, named=True)
        parts = [first["checkpoint"]]
        if first["method"] != UNTOUCHED:
            rate = f"rate{first['learning_rate']:g}" if first["learning_rate"] is not None else ""
            parts += [first["dataset"], first["format"], first["method"], rate]
        yield safe("-".join([*filter(None, parts), f"seed{first['seed']}"])), rows


def is_model(model: Row) -> list[pl.Expr]:
    """Select the rows of a model: of an untouched checkpoint all probes, of a tuned one those of its cell."""
    keys = ["method", "seed"] + ([] if model["method"] == UNTOUCHED else ["dataset", "format", "learning_rate"])
    return [pl.col(key).eq_missing(pl.lit(model[key])) for key in keys]


def items_at(path: Path, asked: pl.DataFrame) -> pl.DataFrame:
    """Read the items that the models at a checkpoint answered, of probes with prompts."""
    schema = ITEM_SCORES | IS_CHOSEN
    rows = scan_table(path, schema=schema) if path.is_file() else pl.LazyFrame(schema=schema)
    known = with_questions(rows.filter(REPORTED), asked)
    return known.filter(pl.col("prompt").is_not_null(), pl.col("score").is_not_null()).collect()


def write_model(
    folder: Path, name: str, rows: pl.DataFrame, items: pl.DataFrame, *, provenance: Row, made: str
) -> None:
    """Write the file of one model, and that of its items."""
    first = rows.row(0, named=True)
    model_id = f"{safe(first['series'])}/{name}"
    evaluation_id = f"{safe(first['study'])}/{model_id}/{made}"
    place = Path("data", safe(first["study"]), safe(first["series"]), name)
    stem = uuid_of(evaluation_id)
    (folder / place).mkdir(parents=True, exist_ok=True)
    samples = [
        json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
        for line in samples_of(items, primary_metrics(rows), evaluation_id, model_id)
    ]
    entry = aggregate(rows, evaluation_id, model_id, provenance=provenance, made=made)
    if samples:
        text = "".join(samples).encode()
        (folder / place / f"{stem}_samples.jsonl").write_bytes(text)
        entry["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": (place / f"{stem}_samples.jsonl").as_posix(),
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(text).hexdigest(),
            "total_rows": len(samples),
        }
    text_of_entry = json.dumps(entry, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / place / f"{stem}.json").write_text(text_of_entry, encoding="utf-8")


def aggregate(rows: pl.DataFrame, evaluation_id: str, model_id: str, *, provenance: Row, made: str) -> dict[str, Any]:
    """Make the entry of a model: who measured what, and its results."""
    first = rows.row(0, named=True)
    facts = {key: first[key] for key in (*MODEL, "step", "tokens", "phase") if first[key] is not None}
    if first["method"] == UNTOUCHED:
        facts = {key: value for key, value in facts.items() if key not in ("dataset", "format")}
    details = {key: str(value) for key, value in facts.items()}
    return {
        "schema_version": SCHEMA,
        "evaluation_id": evaluation_id,
        "retrieved_timestamp": made,
        "source_metadata": {
            "source_name": provenance["study"].get("title") or first["study"],
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "ripeness",
            "version": provenance["software"].get("ripeness") or code_version(),
            "additional_details": {key: str(value) for key, value in provenance["software"].items()},
        },
        "model_info": {
            "name": model_id.partition("/")[2],
            "id": model_id,
            "developer": model_id.partition("/")[0],
            "inference_engine": {
                "name": "transformers",
                "version": provenance["software"].get("transformers", "unknown"),
            },
            "additional_details": {"deployment_type": "self_deployed", "model_availability": "unknown"} | details,
        },
        "evaluation_results": [result(row, provenance) for row in rows.iter_rows(named=True)],
    }


def result(row: Row, provenance: Row) -> dict[str, Any]:
    """Make one result: a metric on a probe."""
    scored: dict[str, Any] = {"score": row["value"]}
    if row["se"] is not None and math.isfinite(row["se"]):
        scored["uncertainty"] = {
            "standard_error": {"value": row["se"], "method": "analytic"},
            "num_samples": row["n_items"],
        }
    asked = {
        key: str(row[key]) for key in ("probe_kind", "probe_format", "shots", "suite", "split") if row[key] is not None
    }
    floors = {key: str(row[key]) for key in ("chance", "majority") if row[key] is not None}
    scored["details"] = asked | floors | {"is_primary": str(row["is_primary"]).lower()}
    return {
        "evaluation_result_id": result_id(row, row["metric"]),
        "evaluation_name": evaluation_name(row),
        "source_data": source_of(row["probe"], provenance, n_items=row["n_items"]),
        "metric_config": metric_of(row["metric"]),
        "score_details": scored,
    }


def source_of(probe: str, provenance: Row, *, n_items: int) -> dict[str, Any]:
    """Say where the items of a probe come from."""
    known = provenance.get("datasets", {}).get(probe, {})
    source = known.get("source", {})
    licence = {"additional_details": {"licence": str(known["licence"])}} if "licence" in known else {}
    if isinstance(source, Mapping) and source.get("hub"):
        named = {"source_type": "hf_dataset", "hf_repo": source["hub"], "samples_number": n_items}
        return {"dataset_name": probe, **named, **licence}
    return {"dataset_name": probe, "source_type": "other", **licence}


def metric_of(name: str) -> dict[str, Any]:
    """Describe a metric: its direction, and its bounds where it has both."""
    metric = BY_NAME.get(name)
    if metric is None:  # of lm-eval, whose metrics say nothing of their bounds
        return {"metric_id": name, "metric_name": name, "lower_is_better": False}
    ends = {"min_score": number(metric.lowest), "max_score": number(metric.highest)}
    named = {"metric_id": name, "metric_name": name, "lower_is_better": metric.better == "lower"}
    return named | {"score_type": "continuous"} | ends


def number(value: float) -> float | str:
    """Write an infinite bound as the schema has it."""
    return value if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"


def primary_metrics(rows: pl.DataFrame) -> dict[tuple[Any, ...], str]:
    """Name the primary metric of each probe of a model."""
    return {tuple(row[key] for key in ASKED): row["metric"] for row in rows.filter("is_primary").iter_rows(named=True)}


def samples_of(
    items: pl.DataFrame, metrics: Mapping[tuple[Any, ...], str], evaluation_id: str, model_id: str
) -> Iterator[dict[str, Any]]:
    """Make a line for each item that a model answered, by the primary metric of its probe."""
    for row in items.iter_rows(named=True):
        metric = metrics.get(tuple(row[key] for key in ASKED))
        if metric is None:  # a measurement without a number
            continue
        said = row["text"] if row["text"] is not None else row["prediction"] or ""
        reference = [row["answer"].strip() if row["answer"] else row["gold"] or ""]
        is_right = row["exact_match"] if row["probe_kind"] == "generation" else row["score"] == 1.0
        yield {
            "schema_version": SCHEMA,
            "evaluation_id": evaluation_id,
            "model_id": model_id,
            "evaluation_name": evaluation_name(row),
            "evaluation_result_id": result_id(row, metric),
            "sample_id": row["item"],
            "sample_hash": hashlib.sha256((row["prompt"] + "".join(reference)).encode()).hexdigest(),
            "interaction_type": "single_turn",
            "input": {"raw": row["prompt"], "reference": reference, "choices": row["options"]},
            "output": {"raw": [said]},
            "answer_attribution": [
                {
                    "turn_idx": 0,
                    "source": "output.raw",
                    "extracted_value": said,
                    "extraction_method": "highest log-likelihood" if row["options"] else "generated text",
                    "is_terminal": True,
                }
            ],
            "evaluation": {"score": row["score"], "is_correct": bool(is_right)},
            "metadata": {
                key: str(row[key]) for key in ("cluster", "margin", "logp_gold", "nll") if row[key] is not None
            },
        }


def evaluation_name(row: Row) -> str:
    """Name a probe as it was asked."""
    shots = f", {row['shots']} shots" if row["shots"] is not None else ""
    return f"{row['probe']} ({row['probe_format']}{shots}; {row['suite']})"


def result_id(row: Row, metric: str) -> str:
    """Name a result within its model."""
    return "/".join(str(row[key]) for key in ASKED) + f"/{metric}"


def uuid_of(text: str) -> str:
    """Make a name in the shape of a UUID of version 4 from a text."""
    digest = list(hashlib.sha256(text.encode()).hexdigest()[:32])
    digest[12], digest[16] = "4", "89ab"[int(digest[16], 16) % 4]
    whole = "".join(digest)
    return "-".join((whole[:8], whole[8:12], whole[12:16], whole[16:20], whole[20:]))


def safe(name: str) -> str:
    """Make a name that can be a folder everywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "unnamed"
