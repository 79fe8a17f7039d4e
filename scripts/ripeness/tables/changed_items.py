"""Compare each tuned model with its untouched checkpoint item by item: items won and lost.

The page compares any two models (report/item_contrasts.py), with the same order and the same number of items.
"""

import polars as pl

from ripeness.tables.columns import REPORTED

MODEL = ("series", "checkpoint", "dataset", "format", "method")
ASKED = ("probe", "probe_format")
TIES = "logp_gold"  # its change orders items whose scores changed alike
MOST_ITEMS = 20  # that are shown of two models


def changed_items(items: pl.LazyFrame) -> pl.DataFrame:
    """Pair each tuned model with its checkpoint, item by item, on the same probe, format and shots, over seeds.

    Columns: MODEL, ASKED, shots, item, before and after (scores), said_before and said_after, change (after minus
    before). The items whose score changed most come first, and of equal ones those whose log-likelihood did. Test items
    at the chosen rate only; an item without a score on one side is left out.
    """
    rows = items.filter(REPORTED, pl.col("split") == "test", pl.col("score").is_not_null())
    asked = ["series", "checkpoint", *ASKED, "shots", "item"]
    said = pl.coalesce("text", "prediction").unique(maintain_order=True).drop_nulls().str.join(" / ")
    values = [pl.col("score").mean(), pl.col(TIES).mean(), said.alias("said")]
    before = rows.filter(pl.col("method") == "base").group_by(asked).agg(values)
    after = rows.filter(pl.col("method") != "base").group_by(*MODEL, *ASKED, "shots", "item").agg(values)
    both = after.join(before, on=asked, suffix="_before").with_columns(
        change=pl.col("score") - pl.col("score_before"), tie=pl.col(TIES) - pl.col(f"{TIES}_before")
    )
    found = both.rename({"score": "after", "score_before": "before", "said": "said_after"})
    order = [pl.col("change").abs(), pl.col("tie").abs().fill_null(0.0)]
    names = [*MODEL, *ASKED, "shots", "item"]
    down = [True] * len(order) + [False] * len(names)
    return found.sort(*order, *names, descending=down).drop("tie", TIES, f"{TIES}_before").collect()


def won_and_lost(changed: pl.DataFrame) -> pl.DataFrame:
    """Count for each model and probe the items that were won, lost, right on both sides, and wrong on both."""
    is_same = pl.col("change") == 0
    return changed.group_by(*MODEL, *ASKED, "shots", maintain_order=True).agg(
        (pl.col("change") > 0).sum().alias("won"),
        (pl.col("change") < 0).sum().alias("lost"),
        (is_same & (pl.col("after") == 1)).sum().alias("both_right"),
        (is_same & (pl.col("after") < 1)).sum().alias("both_not_right"),
    ).sort(*MODEL, *ASKED, "shots")  # fmt: skip
