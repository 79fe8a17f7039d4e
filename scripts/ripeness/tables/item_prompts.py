"""What was asked: prompt, options and right answer of each item in each format, as models read it without shots."""

from pathlib import Path

import polars as pl

from ripeness.storage.parquet import read_table
from ripeness.tables.columns import EXAMPLES

KEYS = ("probe", "probe_format", "split", "item")
ASKED: dict[str, pl.DataType] = {
    **dict.fromkeys(KEYS, pl.String()),
    "prompt": pl.String(),
    "options": pl.List(pl.String()),
    "answer": pl.String(),
}


def asked_items(results: Path, *, dataset: str = "*", splits: tuple[str, ...] = ("test", "validation")) -> pl.DataFrame:
    """Read what was asked, a row for each item, dataset and format; no row for texts and for tasks of lm-eval."""
    found = [
        read_table(path, schema=EXAMPLES).select(
            pl.lit(path.parent.parent.name).alias("probe"),
            pl.lit(path.parent.name).alias("probe_format"),
            pl.lit(path.stem).alias("split"),
            "item",
            prompt=pl.when(pl.col("turns").list.len() > 0)
            .then(pl.col("turns").list.eval(pl.element().struct.field("content")).list.join("\n"))
            .otherwise("prompt"),
            options=pl.when(pl.col("choices").list.len() > 0).then("choices"),
            answer="target",
        )
        for path in sorted((results / "examples").glob(f"{dataset}/*/*.parquet"))
        if path.stem in splits
    ]
    return pl.concat(found) if found else pl.DataFrame(schema=ASKED)


def with_questions(items: pl.LazyFrame, asked: pl.DataFrame) -> pl.LazyFrame:
    """Add `prompt`, `options` and `answer` to rows of items; null where nothing is known of what was asked."""
    return items.join(asked.lazy(), on=list(KEYS), how="left", maintain_order="left")
