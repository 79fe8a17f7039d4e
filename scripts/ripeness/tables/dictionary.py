"""Describe every column of every table once; docs/tables.md and what is exported have their words from here.

After a change: PYTHONPATH=scripts python -m ripeness.tables.dictionary (or `make schema`).
"""

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from ripeness.runtime.marked_page import put_between
from ripeness.runtime.project import ROOT
from ripeness.study.scoring.metrics import METRICS
from ripeness.tables.column_words import AUDITED, CELL, ITEM, MEASURED, PERTURBED, PLACED, TUNED, WHO
from ripeness.tables.columns import AUDIT, CELLS, IDENTITY, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, SENSITIVITY
from ripeness.tables.finding_words import FINDING
from ripeness.tables.theory_columns import SIMULATED
from ripeness.tables.theory_words import FEATURES, NOISY, TUNED_NETWORK

PAGE = ROOT / "docs/tables.md"
UNITS = {
    "tokens": "tokens of pre-training",
    "n_tokens": "tokens",
    "n_prompt_tokens": "tokens",
    "tokens_seen": "tokens",
    "n_bytes": "bytes",
    "state_bytes": "bytes",
    "peak_bytes": "bytes",
    "train_seconds": "seconds",
    "nll": "nats",
    "logp_gold": "nats",
    "margin": "nats",
    "final_loss": "nats a token",
    "base_loss": "nats a token",
    "loss": "nats a token",
    "increase": "nats a token",
    "kl": "nats a text",
    "value": "that of the metric",
    "se": "that of the value",
    "effect": "see unit",
    "low": "see unit",
    "high": "see unit",
    "smallest": "see unit",
    "mde": "see unit",
}
Words = Mapping[str, str]
# A metric has its name where nobody has said more of its column.
OF_METRICS = {one.column: f"The metric `{one.name}` of the item." for one in METRICS if one.column}
ITEM_WORDS = {name: (OF_METRICS | ITEM)[name] for name in ITEM_SCORES if name not in IDENTITY} | PLACED
# What a name of the query, of an exported file and of an attribute of a study holds: its columns, with words.
ITEMS = ITEM_SCORES | IS_CHOSEN | {"prompt": pl.String(), "options": pl.List(pl.String()), "answer": pl.String()}
FINDINGS: dict[str, pl.DataType] = {
    **dict.fromkeys(("id", "claim", "source", "written", "verdict", "statement"), pl.String()),
    **dict.fromkeys(("effect", "low", "high", "confidence", "smallest"), pl.Float64()),
    **dict.fromkeys(("unit", "expects"), pl.String()),
    **dict.fromkeys(("decided_low", "decided_high", "decided_confidence"), pl.Float64()),
    **dict.fromkeys(("part", "covers"), pl.String()),
    **dict.fromkeys(("n_checkpoints", "n_seeds", "n_items"), pl.Int64()),
    **dict.fromkeys(("mde", "power_at_zero", "p_value", "p_holm"), pl.Float64()),
    **dict.fromkeys(
        ("on_these", "parts", "needs_more", "variance", "robustness", "caveats", "details", "answers"), pl.String()
    ),
    "figure": pl.String(),
}
TABLES: dict[str, tuple[Mapping[str, pl.DataType], Words]] = {
    "measurements": (MEASUREMENTS | IS_CHOSEN, WHO | MEASURED),
    "items": (ITEMS, WHO | ITEM_WORDS),
    "cells": (CELLS | IS_CHOSEN, WHO | CELL),
    "sensitivity": (SENSITIVITY, WHO | TUNED | PERTURBED),
    "audit": (AUDIT, AUDITED),
    "findings": (FINDINGS, FINDING),
    "noisy_networks": (SIMULATED["noisy_networks"], NOISY),
    "learned_features": (SIMULATED["learned_features"], FEATURES),
    "tuned_networks": (SIMULATED["tuned_networks"], TUNED_NETWORK),
}
PARTS: dict[str, Words] = {  # of the page
    "identity": {name: WHO[name] for name in [*IDENTITY, *IS_CHOSEN]},
    "measurements": MEASURED,
    "items": ITEM_WORDS,
    "cells": CELL,
    "sensitivity": PERTURBED,
    "audit": AUDITED,
    "findings": FINDING,
}


def plain(words: str) -> str:
    """Take the links and the marks of code out of a description."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words).replace("`", "")


def dictionary(names: list[str] | None = None) -> pl.DataFrame:
    """Describe the columns of the named tables, or of all: table, column, type, unit and meaning, a row for each."""
    rows = [
        {"table": table, "column": column, "type": str(kind), "unit": UNITS.get(column, ""), "meaning": words[column]}
        for table, (columns, words) in TABLES.items()
        if names is None or table in names
        for column, kind in columns.items()
    ]
    return pl.DataFrame([row | {"meaning": plain(row["meaning"])} for row in rows])


def part_of_page(words: Words) -> str:
    """Write the columns of a table for the page."""
    rows = [f"| `{name}` | {said.replace('|', chr(92) + '|')} |" for name, said in words.items()]
    return "\n".join(["", "| column | meaning |", "|---|---|", *rows, ""])


def main(page: Path = PAGE) -> None:
    """Write the columns into docs/tables.md."""
    for name, words in PARTS.items():
        put_between(page, f"columns of {name}", part_of_page(words))


if __name__ == "__main__":
    main()
