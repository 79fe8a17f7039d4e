"""Collect the tables of all perturbed checkpoints into the study's, with the effect of tuning on the same loss.

Tuning is a perturbation too: a row of kind "displacement" for every tuned model that was measured on one of the texts,
with the norm of the displacement as its scale and, where it was measured, the curvature of the loss along it.
"""

from pathlib import Path

import polars as pl

from ripeness.runtime.command_line import argument_parser, output_file, run
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, SENSITIVITY, conform, read_tables, write_table

CHECKPOINT = ["series", "checkpoint"]
CELL = [*CHECKPOINT, "dataset", "format", "method", "learning_rate", "seed"]


def displacements(measurements: pl.LazyFrame, cells: pl.LazyFrame, texts: list[str]) -> pl.DataFrame:
    """Make the rows of tuned models: losses on the texts (nats a token) before and after, and the displacement."""
    losses = measurements.filter(
        pl.col("metric") == "loss", pl.col("probe_kind") == "text", pl.col("probe").is_in(texts)
    )
    base = losses.filter(pl.col("method") == "base").select(
        *CHECKPOINT, "probe", base_loss="value", base_reason="reason"
    )
    moved = cells.filter(pl.col("displacement").is_not_null()).select(*CELL, "displacement", "curvature")
    rows = losses.filter(pl.col("method") != "base").rename({"value": "loss"})
    rows = rows.unique([*CELL, "probe"], keep="first", maintain_order=True)  # suites may name a text twice
    rows = rows.join(base, on=[*CHECKPOINT, "probe"]).join(moved, on=CELL, nulls_equal=True)
    rows = rows.with_columns(
        perturbation=pl.lit("displacement"),
        normalisation=pl.lit(""),
        scale="displacement",
        increase=pl.col("loss") - pl.col("base_loss"),
        base_perplexity=exponential("base_loss"),
        perplexity=exponential("loss"),
        se=None,  # the pairs of passages are in the items
        reason=pl.coalesce("base_reason", "reason"),
    )
    names = [name for name in SENSITIVITY if name in rows.collect_schema()]
    return conform(rows.select(names).sort(*CELL, "probe").collect(), SENSITIVITY)


def exponential(name: str) -> pl.Expr:
    """Compute e to the power of a column; null if that is not finite."""
    found = pl.col(name).exp()
    return pl.when(found.is_finite()).then(found)


def main(argv: list[str] | None = None) -> None:
    """Write sensitivity.parquet."""
    parser = argument_parser(__doc__)
    parser.add_argument("--tables", required=True, type=Path, nargs="+", help="one table a checkpoint")
    parser.add_argument("--measurements", type=Path, nargs="*", default=[], help="measurements of tuned checkpoints")
    parser.add_argument("--cells", type=Path, nargs="*", default=[], help="their cells")
    parser.add_argument("--output", required=True, type=output_file, help="parquet file to write")
    options = parser.parse_args(argv)
    perturbed = read_tables(options.tables, SENSITIVITY).collect()
    found = [perturbed]
    if options.measurements and options.cells:
        measurements = read_tables(options.measurements, MEASUREMENTS | IS_CHOSEN)
        cells = read_tables(options.cells, CELLS | IS_CHOSEN)
        found.append(displacements(measurements, cells, perturbed["probe"].unique().to_list()))
    write_table(options.output, pl.concat(found), SENSITIVITY)


if __name__ == "__main__":
    run(main)
