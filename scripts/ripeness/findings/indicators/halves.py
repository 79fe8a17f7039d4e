"""Values on halves of the items, so that an indicator and what it is judged against share no item.

Items are halved N_HALVINGS times by a digest of their cluster, the same at every checkpoint. Each halving counts twice:
the indicator is read on one half and the tuned score on the other, and the other way round.
"""

from collections.abc import Iterable
from hashlib import blake2b

import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.scores import POINT
from ripeness.tables.columns import REPORTED

N_HALVINGS = 8
HALVES = [(number, half) for half in (1, 0) for number in range(N_HALVINGS)]
MODEL = ["method", "probe", "format", "seed", "shots", "split"]
SCORES, MARGINS, NLLS, READ = "scores", "margins", "nlls", "read"


def halved(tables: Iterable[pl.LazyFrame], settings: Settings) -> pl.DataFrame:
    """Average each model's scores on halves of the items of one dataset, table by table.

    Of tuned models on the dataset that they were tuned on in the format tuned in, and of untouched ones. A row is a
    model with POINT, `lr` and MODEL, and lists [2 * N_HALVINGS] of score, margin and loss on answers; `read` are the
    tokens that it read. Validation items are in both halves.
    """
    frames = [part for table in tables if not (part := halved_at(table, settings)).is_empty()]
    return pl.concat(frames) if frames else pl.DataFrame()


def halved_at(table: pl.LazyFrame, settings: Settings) -> pl.DataFrame:
    """Average at one checkpoint."""
    is_base = pl.col("method") == "base"
    rows = table.filter(
        REPORTED | (pl.col("is_chosen") & (pl.col("split") == "validation")),
        pl.col("dataset") == pl.col("probe"),
        pl.col("format") == pl.col("probe_format"),
        is_base | (pl.col("shots") == settings.shots),
        pl.col("probe_kind").is_in(["choice", "generation"]),
    )
    keys = list(dict.fromkeys([*POINT, "lr", *MODEL]))
    cluster = pl.concat_str(pl.col("probe"), pl.lit(":"), pl.coalesce("cluster", "item")).alias("cluster")
    values = pl.col("score", "margin", "nll").fill_nan(None)
    frame = rows.select(*keys, cluster, values, "n_tokens", "n_prompt_tokens").collect()
    names = frame["cluster"].unique(maintain_order=True)
    digests = pl.DataFrame({"cluster": names, "digest": pl.Series(map(digest_of, names), dtype=pl.Int64)})
    return (
        frame.join(digests, on="cluster")
        .group_by(keys)
        .agg(
            pl.concat_list(*(mean_on("score", *half) for half in HALVES)).alias(SCORES),
            pl.concat_list(*(mean_on("margin", *half) for half in HALVES)).alias(MARGINS),
            pl.concat_list(*(loss_on(*half) for half in HALVES)).alias(NLLS),
            pl.sum_horizontal("n_tokens", "n_prompt_tokens").sum().alias(READ),
        )
    )


def digest_of(cluster: str) -> int:
    """Make a number of a cluster whose bits say in which half it is."""
    return int.from_bytes(blake2b(cluster.encode(), digest_size=4).digest())


def is_in(number: int, half: int) -> pl.Expr:
    """Say whether an item is in that half of a halving; validation items are in both."""
    bit = (pl.col("digest") // 2**number) % 2
    return (bit == half) | (pl.col("split") == "validation")


def mean_on(column: str, number: int, half: int) -> pl.Expr:
    """Average a column over a half."""
    return pl.col(column).filter(is_in(number, half)).mean()


def loss_on(number: int, half: int) -> pl.Expr:
    """Compute the loss on right answers, nats a token of all of them together, over a half."""
    there = is_in(number, half) & pl.col("nll").is_not_null()
    return pl.col("nll").filter(there).sum() / pl.col("n_tokens").filter(there).sum()
