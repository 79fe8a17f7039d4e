"""The ways of tuning of a study with what each trains, stores, reads and costs, next to plain tuning."""

from typing import Any

import polars as pl

from ripeness.study.study_config import BASE
from ripeness.tables.ways_of_tuning import PLAIN_TASK, ways_of

COSTS = {"train_seconds": "seconds", "peak_bytes": "peak memory", "steps": "steps", "tokens_seen": "tokens"}
PLAIN = "full"


def methods_table(cells: pl.DataFrame) -> list[dict[str, Any]]:
    """Make a row of text for each way of tuning: medians over its cells, and its costs as a multiple of plain tuning.

    The multiple compares cells of the same checkpoint, dataset, format and seed. Empty for a study that tunes nothing.
    """
    tuned = cells.filter(pl.col("method") != BASE, pl.col("kind").is_not_null())
    if tuned.is_empty():
        return []
    sizes = tuned.group_by("method").agg(pl.col("trainable_parameters").max()).sort("method")
    plain = plain_of(tuned, sizes)
    rows = []
    for (name,), part in sorted(tuned.group_by("method"), key=lambda pair: (pair[0] != (plain,), pair[0])):
        ratios = {cost: ratio_of(part, tuned.filter(method=plain), cost) for cost in COSTS}
        rows.append(
            {
                "method": name,
                "kind": part["kind"][0],
                "learns": part["learns"][0] or "–",
                "start": part["start"][0] or "the checkpoint",
                "examples": whole_number(part["examples"].max()),
                "trained": whole_number(part["trainable_parameters"].median()),
                "share": share_of_plain(part["trainable_parameters"].median(), sizes, plain),
                "stored": bytes_in_words(part["state_bytes"].median()),
                "steps": whole_number(part["steps"].median()),
                "tokens": whole_number(part["tokens_seen"].median()),
                "n_cells": part.height,
                "n_diverged": part.filter(status="diverged").height,
                "time": "–" if ratios["train_seconds"] is None else f"{ratios['train_seconds']:.2f}",
                "memory": "–" if ratios["peak_bytes"] is None else f"{ratios['peak_bytes']:.2f}",
            }
        )
    return rows


def plain_of(tuned: pl.DataFrame, sizes: pl.DataFrame) -> str:
    """Name plain tuning: the method `full`, else of those that stand for a study that with the most trained numbers."""
    most = sizes.sort("trainable_parameters", descending=True, nulls_last=True, maintain_order=True)["method"]
    ways = ways_of(tuned)
    in_words = [name for name in most if not ways[name].has_labels] or list(most)
    kept = [name for name in in_words if ways[name].task == PLAIN_TASK] or in_words
    return PLAIN if PLAIN in ways else kept[0]


def ratio_of(part: pl.DataFrame, plain: pl.DataFrame, cost: str) -> float | None:
    """Compute the median of a cost of one way by that of plain tuning in the same cell; None where none is known."""
    keys = ["series", "checkpoint", "dataset", "format", "seed"]
    means = [frame.drop_nulls(cost).group_by(keys).agg(pl.col(cost).mean()) for frame in (part, plain)]
    pairs = means[0].join(means[1], on=keys, suffix="_plain").filter(pl.col(f"{cost}_plain") > 0)
    ratio = pairs.select((pl.col(cost) / pl.col(f"{cost}_plain")).median()).item()
    return None if ratio is None else float(ratio)


def share_of_plain(number: Any, sizes: pl.DataFrame, plain: str) -> str:
    """Write what is trained as a share of what plain tuning trains."""
    most = sizes.filter(method=plain)["trainable_parameters"].item()
    return "–" if number is None or not most else f"{100 * number / most:.3g} %"


def whole_number(number: Any) -> str:
    """Write a count with commas, or a dash for none."""
    return "–" if number is None else f"{int(number):,}"


def bytes_in_words(number: Any) -> str:
    """Write bytes in kB, MB or GB."""
    if number is None:
        return "–"
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e3:.1f} kB"
