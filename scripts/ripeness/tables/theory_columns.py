"""Define the tables of simulated linear networks (docs/theory.md). Losses are sums of squares over two."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.storage.parquet import read_table

# Checkpoints under noise, a row for each and gamma.
NOISY_NETWORKS: dict[str, pl.DataType] = {
    "study": pl.String(),
    "seed": pl.Int64(),
    "checkpoint": pl.Int64(),
    "time": pl.Float64(),
    "n_learned": pl.Int64(),
    "gamma": pl.Float64(),
    "base_loss": pl.Float64(),
    "loss": pl.Float64(),
    "increase": pl.Float64(),
    "se": pl.Float64(),
    "expected_increase": pl.Float64(),
    "flow_loss": pl.Float64(),
}

# Networks that have learned the first n features fully and nothing else, under noise; `change` is from n - 1.
LEARNED_FEATURES: dict[str, pl.DataType] = {
    "study": pl.String(),
    "seed": pl.Int64(),
    "n_learned": pl.Int64(),
    "strength": pl.Float64(),
    "gamma": pl.Float64(),
    "threshold": pl.Float64(),
    "base_loss": pl.Float64(),
    "loss": pl.Float64(),
    "expected_loss": pl.Float64(),
    "change": pl.Float64(),
    "se": pl.Float64(),
    "expected_change": pl.Float64(),
}

# Checkpoints after fine-tuning: on a target, at a rate, under a pull towards the start.
TUNED_NETWORKS: dict[str, pl.DataType] = {
    "study": pl.String(),
    "seed": pl.Int64(),
    "checkpoint": pl.Int64(),
    "time": pl.Float64(),
    "n_learned": pl.Int64(),
    "target": pl.String(),
    "rotation": pl.Float64(),
    "is_opposed": pl.Boolean(),
    "rate": pl.Float64(),
    "is_fixed": pl.Boolean(),
    "is_chosen": pl.Boolean(),
    "pull": pl.Float64(),
    "base_loss": pl.Float64(),
    "loss": pl.Float64(),
    "task_base_loss": pl.Float64(),
    "task_loss": pl.Float64(),
    "validation_loss": pl.Float64(),
    "displacement": pl.Float64(),
}

SIMULATED = {
    "noisy_networks": NOISY_NETWORKS,
    "learned_features": LEARNED_FEATURES,
    "tuned_networks": TUNED_NETWORKS,
}


def by_name(places: list[Path]) -> dict[str, pl.DataFrame]:
    """Map tables by the names of their files."""
    return {path.stem: read_table(path, schema=SIMULATED.get(path.stem)) for path in places}


def facts_of_simulation(tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Say in numbers and names what was simulated."""
    noisy, tuned = tables["noisy_networks"], tables["tuned_networks"]
    return {
        "is_simulated": True,
        "width": tables["learned_features"]["n_learned"].max(),
        "n_checkpoints": noisy["checkpoint"].n_unique(),
        "targets": tuned["target"].unique(maintain_order=True).to_list(),
        "n_tuned": tuned.height,
        "n_diverged": tuned["loss"].null_count(),
        "seeds": sorted(set(noisy["seed"])),
    }
