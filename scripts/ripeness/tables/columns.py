"""Define the columns and types of all tables, and check them whenever a table is written (docs/tables.md)."""

from pathlib import Path

import polars as pl

from ripeness.runtime.files import whole
from ripeness.storage.parquet import check_columns, read_table, scan_table
from ripeness.study.grid import VIEWS
from ripeness.study.scoring.metrics import METRICS

# What lm-eval says of an item, by metric; where it is no mean over items, the same value of the whole task in each.
HARNESS = pl.List(pl.Struct({"metric": pl.String(), "value": pl.Float64(), "is_mean": pl.Boolean()}))

# What a model is measured on.
PROBE: dict[str, pl.DataType] = {
    "suite": pl.String(),
    "probe": pl.String(),
    "probe_kind": pl.String(),
    "probe_format": pl.String(),
    "shots": pl.Int64(),
    "split": pl.String(),
}

# Who was measured, on what. Identity travels in columns; nothing is ever parsed from a path.
IDENTITY: dict[str, pl.DataType] = {
    "study": pl.String(),
    "series": pl.String(),
    "checkpoint": pl.String(),
    "step": pl.Int64(),
    "tokens": pl.Int64(),
    "lr": pl.Float64(),
    "phase": pl.String(),
    "pretraining_seed": pl.Int64(),
    "dataset": pl.String(),
    "format": pl.String(),
    "method": pl.String(),
    "learning_rate": pl.Float64(),
    "seed": pl.Int64(),
} | PROBE

MEASUREMENTS: dict[str, pl.DataType] = IDENTITY | {
    "metric": pl.String(),
    "is_primary": pl.Boolean(),
    "value": pl.Float64(),
    "se": pl.Float64(),
    "n_items": pl.Int64(),
    "chance": pl.Float64(),
    "majority": pl.Float64(),
    "n_seeds": pl.Int64(),
    "source": pl.String(),
    "reason": pl.String(),
}

# `score` is the item's value of the primary metric; then a column for each metric that is a mean over items.
ITEM_SCORES: dict[str, pl.DataType] = IDENTITY | {
    "item": pl.String(),
    "cluster": pl.String(),
    "gold": pl.String(),
    "prediction": pl.String(),
    "score": pl.Float64(),
    **{metric.column: pl.Boolean() if metric.is_flag else pl.Float64() for metric in METRICS if metric.column},
    "text": pl.String(),
    "nll": pl.Float64(),
    "n_tokens": pl.Int64(),
    "n_bytes": pl.Int64(),
    "n_prompt_tokens": pl.Int64(),
    "is_truncated": pl.Boolean(),
    "n_dropped_shots": pl.Int64(),
    "harness": HARNESS,
    "reason": pl.String(),
}

# One dataset's examples, as rendered in one format; choices hold the texts that are scored, with their space. In the
# format `chat`, turns are what is said before the answer; references are all right answers of an open question.
# same_text has for each option the place of the first one with the same text, which its letter does not tell.
EXAMPLES: dict[str, pl.DataType] = {
    "item": pl.String(),
    "cluster": pl.String(),
    "prompt": pl.String(),
    "turns": pl.List(pl.Struct({"role": pl.String(), "content": pl.String()})),
    "choices": pl.List(pl.String()),
    "gold": pl.Int64(),
    "target": pl.String(),
    "references": pl.List(pl.String()),
    "same_text": pl.List(pl.Int64()),
}

# What a model said about one item of one probe; nothing is scored yet. What was NaN or infinite is null, with
# the reason; same_tokens has for each option the place of the first one that the model reads alike.
PREDICTIONS: dict[str, pl.DataType] = PROBE | {
    "item": pl.String(),
    "cluster": pl.String(),
    "choices": pl.List(pl.String()),
    "gold": pl.Int64(),
    "target": pl.String(),
    "references": pl.List(pl.String()),
    "same_text": pl.List(pl.Int64()),
    "same_tokens": pl.List(pl.Int64()),
    "logps": pl.List(pl.Float64()),
    "logps_unconditional": pl.List(pl.Float64()),
    "n_option_tokens": pl.List(pl.Int64()),
    "text": pl.String(),
    "nll": pl.Float64(),
    "n_tokens": pl.Int64(),
    "n_bytes": pl.Int64(),
    "n_prompt_tokens": pl.Int64(),
    "is_truncated": pl.Boolean(),
    "n_dropped_shots": pl.Int64(),
    "harness": HARNESS,
    "source": pl.String(),
    "precision": pl.String(),
    "reason": pl.String(),
}

# Of a training, what differs from run to run; all else in the tables is a function of the config.
USED = ("train_seconds", "peak_bytes")

# One row a cell: is it there, what its method is, what happened in training, and what that cost.
CELLS: dict[str, pl.DataType] = {
    "series": pl.String(),
    "checkpoint": pl.String(),
    "tokens": pl.Int64(),
    "phase": pl.String(),
    "dataset": pl.String(),
    "format": pl.String(),
    "method": pl.String(),
    "learning_rate": pl.Float64(),
    "seed": pl.Int64(),
    "kind": pl.String(),
    "learns": pl.String(),
    "start": pl.String(),
    "start_dataset": pl.String(),
    "rewarded_by": pl.String(),
    "examples": pl.Int64(),
    "doses_of": pl.String(),
    "status": pl.String(),
    "reason": pl.String(),
    "n_examples": pl.Int64(),
    "n_tokens": pl.Int64(),
    "n_truncated": pl.Int64(),
    "final_loss": pl.Float64(),
    "displacement": pl.Float64(),
    "relative_displacement": pl.Float64(),
    "curvature": pl.Float64(),
    "trainable_parameters": pl.Int64(),
    "state_bytes": pl.Int64(),
    "tokens_seen": pl.Int64(),
    "steps": pl.Int64(),
    "train_seconds": pl.Float64(),
    "peak_bytes": pl.Int64(),
    "kl": pl.Float64(),
    "win_rate": pl.Float64(),
    "reward": pl.Float64(),
    "reward_before": pl.Float64(),
    "truth": pl.Float64(),
    "truth_se": pl.Float64(),
    "truth_before": pl.Float64(),
    "truth_before_se": pl.Float64(),
    "pass_at_1": pl.Float64(),
    "pass_at_1_se": pl.Float64(),
    "pass_at_1_before": pl.Float64(),
    "pass_at_1_before_se": pl.Float64(),
    "pass_at_64": pl.Float64(),
    "pass_at_64_se": pl.Float64(),
    "pass_at_64_before": pl.Float64(),
    "pass_at_64_before_se": pl.Float64(),
    "distinct": pl.Float64(),
    "distinct_before": pl.Float64(),
    "n_dropped_shots": pl.Int64(),
    "train_precision": pl.String(),
    "predict_precision": pl.String(),
}

# What a perturbation of a checkpoint's weights does to its loss on running text (nats a token): a row for every
# checkpoint, perturbation, normalisation, scale, noise seed and text. `scale` is that of noise, the bits of rounding,
# or the norm of a displacement by tuning, which alone has a cell (dataset to seed) and a curvature.
SENSITIVITY: dict[str, pl.DataType] = {
    "study": pl.String(),
    "series": pl.String(),
    "checkpoint": pl.String(),
    "step": pl.Int64(),
    "tokens": pl.Int64(),
    "lr": pl.Float64(),
    "phase": pl.String(),
    "pretraining_seed": pl.Int64(),
    "perturbation": pl.String(),
    "normalisation": pl.String(),
    "scale": pl.Float64(),
    "noise_seed": pl.Int64(),
    "dataset": pl.String(),
    "format": pl.String(),
    "method": pl.String(),
    "learning_rate": pl.Float64(),
    "seed": pl.Int64(),
    "probe": pl.String(),
    "base_loss": pl.Float64(),
    "loss": pl.Float64(),
    "increase": pl.Float64(),
    "se": pl.Float64(),
    "base_perplexity": pl.Float64(),
    "perplexity": pl.Float64(),
    "curvature": pl.Float64(),
    "n_items": pl.Int64(),
    "n_tokens": pl.Int64(),
    "reason": pl.String(),
}

# What the audit says of a study: a row for every remark, and one for every check that saw nothing (severity passed).
AUDIT: dict[str, pl.DataType] = {
    "check": pl.String(),
    "stage": pl.String(),
    "severity": pl.String(),
    "where": pl.String(),
    "seen": pl.String(),
    "why": pl.String(),
    "is_acknowledged": pl.Boolean(),
    "reason": pl.String(),
}

# What collecting adds: whether the row belongs to the learning rate that was chosen on validation items.
IS_CHOSEN: dict[str, pl.DataType] = {"is_chosen": pl.Boolean()}

# Suites of published numbers: of what a model was tuned on, and of others. No config can name a suite so.
OWN_DATASET, OTHER_DATASET = "own dataset", "other dataset"

# The rows of models measured on what they were tuned on; published probes may have another name than their dataset.
IS_OWN = (pl.col("dataset") == pl.col("probe")) | (pl.col("suite") == OWN_DATASET)

# The measurements that came to a number; of the others the reason is in the table.
HAS_VALUE = pl.col("value").is_finite()

# The measurements by which a probe is judged and compared: those by the primary metric of its task.
IS_PRIMARY = pl.col("is_primary")

# The rows that findings and figures read: not those on which something was chosen, nor what was not chosen,
# nor other pictures, or parts, of what is there already.
REPORTED = pl.col("is_chosen") & (pl.col("suite") != "validation") & (pl.col("suite") != VIEWS)


def conform(rows: list[dict] | pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Make a frame with exactly the columns of `schema`; a column that no row has is null.

    Raises ValueError for a column that the schema does not know: a table never grows by accident.
    """
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
    if unknown := set(frame.columns) - set(schema):
        raise ValueError(f"columns not in the schema: {sorted(unknown)}")
    columns = [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    ]
    return frame.select(columns) if frame.columns else pl.DataFrame(schema=schema)


def write_table(path: Path, rows: list[dict] | pl.DataFrame, schema: dict[str, pl.DataType]) -> None:
    """Check `rows` against `schema` and write them as parquet, whole or not at all."""
    with whole(path) as temporary:
        conform(rows, schema).write_parquet(temporary)


def read_measurements(path: Path) -> pl.DataFrame:
    """Read the collected measurements of a study, or of one checkpoint."""
    return read_table(path, schema=MEASUREMENTS | IS_CHOSEN)


def read_cells(path: Path) -> pl.DataFrame:
    """Read the collected cells of a study."""
    return read_table(path, schema=CELLS | IS_CHOSEN)


def read_tables(paths: list[Path], schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Return the rows of many tables of one schema, file after file as they are needed."""
    for path in paths:
        check_columns(path, schema)
    return pl.scan_parquet(paths, schema=schema, glob=False)


def stream_table(path: Path, rows: pl.LazyFrame, schema: dict[str, pl.DataType]) -> None:
    """Write rows as they come, which may be more than memory holds, whole or not at all."""
    if rows.collect_schema() != pl.Schema(schema):
        raise ValueError(f"not the columns of the schema: {rows.collect_schema()}")
    with whole(path) as temporary:
        rows.sink_parquet(temporary)


def table_files(places: list[Path]) -> list[Path]:
    """Return the parquet files among `places`, and those below the folders among them."""
    return [file for place in places for file in (sorted(place.rglob("*.parquet")) if place.is_dir() else [place])]


def by_checkpoint(places: list[Path]) -> dict[tuple[str, str], pl.LazyFrame]:
    """Return the rows of items tables (files, or folders) by (series, checkpoint), sorted: one fits into memory."""
    found: dict[tuple[str, str], list[pl.LazyFrame]] = {}
    for file in table_files(places):
        table = scan_table(file, schema=ITEM_SCORES | IS_CHOSEN)
        for series, checkpoint in table.select("series", "checkpoint").unique().collect().iter_rows():
            found.setdefault((series, checkpoint), []).append(table.filter(series=series, checkpoint=checkpoint))
    return {place: pl.concat(found[place]) for place in sorted(found)}
