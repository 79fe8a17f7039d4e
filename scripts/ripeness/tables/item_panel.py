"""All that is known of one item: its prompts as models read them, and what each model answered, untouched and tuned.

The report's panel and `ripeness show` are made of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.runtime.files import read_json_lines
from ripeness.storage.parquet import scan_files
from ripeness.tables.columns import IS_CHOSEN, ITEM_SCORES, by_checkpoint
from ripeness.tables.item_prompts import asked_items

MODEL = ("series", "checkpoint", "tokens", "dataset", "format", "method", "learning_rate", "seed")
ASKED = ("probe_format", "shots")
ANSWER = ("prediction", "text", "score", "margin", "logp_gold", "nll", "n_prompt_tokens", "is_chosen", "reason")


@dataclass(frozen=True)
class Panel:
    """One item of one dataset.

    `prompts` has for each format `prompt`, `options` and `answer`; `rows` is a table with a row for each answer: MODEL,
    ASKED, ANSWER, and `logps`, the log-likelihood of each option in nats, in the order of `options`.
    """

    dataset: str
    item: str
    fields: Mapping[str, Any]
    right: str
    prompts: Mapping[str, Mapping[str, Any]]
    rows: pl.DataFrame
    file: Path


def panels(results: Path, item: str, dataset: str | None = None) -> Iterator[Panel]:
    """Find an item by its id, in one dataset or in all that have it; nothing where none has."""
    for path in sorted((results / "items").glob(f"{dataset or '*'}/test.jsonl")):
        row = next((row for row in read_json_lines(path) if row["id"] == item), None)
        if row is not None:
            name = path.parent.name
            prompts = {
                one["probe_format"]: {key: one[key] for key in ("prompt", "options", "answer")}
                for one in asked_items(results, dataset=name, splits=("test",)).filter(item=item).iter_rows(named=True)
            }
            yield Panel(name, item, row["fields"], row["target"], prompts, answers(results, item, name), path)


def answers(results: Path, item: str, probe: str) -> pl.DataFrame:
    """Read what every model answered to an item; an untouched model without shots has one row, whatever its seeds."""
    schema = ITEM_SCORES | IS_CHOSEN
    is_it = (pl.col("item") == item) & (pl.col("probe") == probe) & (pl.col("split") == "test")
    tables = by_checkpoint([results / "tables/items"]).values()
    found = pl.concat([table.filter(is_it) for table in tables] or [pl.LazyFrame(schema=schema)]).collect()
    rows = found.select(*MODEL, *ASKED, *ANSWER)
    is_alike = (pl.col("method") == "base") & (pl.col("shots") == 0)
    rows = rows.with_columns(seed=pl.when(~is_alike).then("seed")).unique([*MODEL, *ASKED], maintain_order=True)
    known = log_likelihoods(results, is_it)
    keys = ["series", "checkpoint", "dataset", "format", "method", "learning_rate", "seed", *ASKED]
    known = known.with_columns(seed=pl.when(~is_alike).then("seed")).unique(keys, maintain_order=True)
    return rows.join(known, on=keys, how="left", nulls_equal=True, maintain_order="left")


def log_likelihoods(results: Path, is_it: pl.Expr) -> pl.DataFrame:
    """Read the log-likelihoods of the options, from the predictions of each cell that are still there; nats.

    The cell's table of items, in the same folder, says whose they are.
    """
    folders = sorted(path.parent for path in (results / "cells").glob("*/*/*/*/*/seed*/predictions.parquet"))
    folders = [folder for folder in folders if (folder / "items.parquet").is_file()]
    who = ["series", "checkpoint", "dataset", "format", "method", "learning_rate", "seed"]
    if not folders:
        schema = {name: ITEM_SCORES[name] for name in [*who, *ASKED]} | {"logps": pl.List(pl.Float64())}
        return pl.DataFrame(schema=schema)
    scans = {
        name: scan_files([folder / f"{name}.parquet" for folder in folders], file_column="file")
        .filter(is_it)
        .with_columns(pl.col("file").str.replace(r"[^/]+$", ""))
        for name in ("items", "predictions")
    }
    place = ["file", "suite", "probe", "probe_format", "shots", "item"]
    identity = scans["items"].select(*place, *who)
    found = scans["predictions"].select(*place, "logps").join(identity, on=place)
    return found.select(*who, *ASKED, "logps").collect()
