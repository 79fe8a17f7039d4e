"""Pair the items of models that two studies have both measured, after checking that the same was asked.

A model is a checkpoint, untouched or tuned on a dataset in a format by a method; it is paired with the one of the same
names. Items are paired by id where prompt, options and right answer are equal; scores are averaged over seeds first.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ripeness.outputs.study_tables import item_files
from ripeness.storage.parquet import read_table, scan_table
from ripeness.tables.columns import EXAMPLES, IS_CHOSEN, ITEM_SCORES, REPORTED
from ripeness.tables.item_prompts import asked_items

MODEL = ("series", "checkpoint", "dataset", "format", "method")
ASKED = ("probe", "probe_format", "shots")
KINDS = ("choice", "generation", "preference")  # whose prompts are kept
WORDS = ("prompt", "options", "answer")


@dataclass(frozen=True)
class Pairs:
    """Paired items of two studies: a row for each model, probe and item; and what was left out, counted by reason.

    Columns: MODEL, ASKED, item, cluster, prompt, answer; and with _a and _b prediction, score, margin, n_seeds, and
    `seed_variance`, the variance of the mean over seeds.
    """

    rows: pl.DataFrame
    left_out: dict[str, int]


def pair_items(a: Path, b: Path) -> Pairs:
    """Pair all items of two studies, one checkpoint after the other."""
    asked, left_out = comparable(a, b)
    renamed = only_series(a, b)
    found = []
    files_b = {(path.parent.name, path.stem): path for path in item_files(b)}
    shared = [
        (path, files_b[place])
        for path in item_files(a)
        if (place := (renamed.get(path.parent.name, path.parent.name), path.stem)) in files_b
    ]
    if n_alone := len(item_files(a)) + len(files_b) - 2 * len(shared):
        left_out["checkpoints that only one study has"] = n_alone
    for path_a, path_b in shared:
        rows_a, rows_b = (answers_at(path) for path in (path_a, path_b))
        rows_b = rows_b.with_columns(pl.lit(path_a.parent.name).alias("series"))
        both = rows_a.join(rows_b, on=[*MODEL, *ASKED, "item"], suffix="_b")
        models = [*MODEL, *ASKED]
        alone = rows_a.select(models).unique().join(rows_b.select(models).unique(), on=models, how="anti").height
        alone += rows_b.select(models).unique().join(rows_a.select(models).unique(), on=models, how="anti").height
        left_out["models on probes that only one study has measured"] += alone
        same = both.join(asked, on=[*ASKED, "item"], how="inner")
        left_out["paired answers whose prompt, shots, options or right answer differ"] += both.height - same.height
        left_out["answers to items that only one study has"] += alone_items(rows_a, rows_b, both)
        found.append(same)
    rows = pl.concat(found) if found else pl.DataFrame()
    return Pairs(rows, {reason: n for reason, n in left_out.items() if n})


def alone_items(rows_a: pl.DataFrame, rows_b: pl.DataFrame, both: pl.DataFrame) -> int:
    """Count the answers of models that both studies have to items that only one has."""
    models = [*MODEL, *ASKED]
    shared = both.select(models).unique()
    return sum(rows.join(shared, on=models, how="semi").height - both.height for rows in (rows_a, rows_b))


def only_series(a: Path, b: Path) -> dict[str, str]:
    """Name the series of B that stands for that of A, where each study has one and the names differ."""
    names = [sorted({path.parent.name for path in item_files(results)}) for results in (a, b)]
    return {names[0][0]: names[1][0]} if len(names[0]) == len(names[1]) == 1 and names[0] != names[1] else {}


def answers_at(path: Path) -> pl.DataFrame:
    """Read what each model at a checkpoint answered to test items, averaged over seeds."""
    rows = scan_table(path, schema=ITEM_SCORES | IS_CHOSEN).filter(
        REPORTED, pl.col("split") == "test", pl.col("probe_kind").is_in(KINDS), pl.col("score").is_not_null()
    )
    by = [*MODEL, *ASKED]
    # suites may ask the same twice
    seeds = rows.unique([*by, "seed", "item"], keep="first", maintain_order=True).with_columns(
        pl.col("score").mean().over([*by, "seed"]).alias("of_seed")
    )
    answer = pl.coalesce("text", "prediction")
    means = seeds.group_by(*by, "item", "cluster", maintain_order=True).agg(
        pl.col("score").mean(),
        answer.unique(maintain_order=True).drop_nulls().str.join(" / ").alias("prediction"),
        pl.col("margin").mean(),
        pl.len().alias("n_seeds"),
        (pl.col("of_seed").var() / pl.len()).fill_null(0.0).alias("seed_variance"),
    )
    return means.collect()


def comparable(a: Path, b: Path) -> tuple[pl.DataFrame, Counter[str]]:
    """List the items that both studies ask alike, by probe, format and number of shots, with prompt and answer."""
    keys = ["probe", "probe_format", "item"]
    ours, theirs = (asked_items(results, splits=("test",)).drop("split") for results in (a, b))
    both = ours.join(theirs, on=keys, suffix="_b")
    alike = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_b")) for name in WORDS)
    same = both.filter(alike).select(*keys, *WORDS)
    shots = (
        shots_of(a)
        .join(shots_of(b), on=["probe", "probe_format"], suffix="_b")
        .filter(pl.col("text") == pl.col("text_b"))
    )
    left_out: Counter[str] = Counter()
    places = pl.DataFrame({"shots": measured_shots(a)}, schema={"shots": pl.Int64})
    with_shots = same.join(shots.select("probe", "probe_format"), on=["probe", "probe_format"]).join(
        places.filter(pl.col("shots") > 0), how="cross"
    )
    without = same.with_columns(shots=pl.lit(0, pl.Int64))
    return pl.concat([without, with_shots.select(without.columns)]), left_out


def measured_shots(results: Path) -> list[int]:
    """List the numbers of shots that a study has measured with."""
    shots = read_table(results / "tables/measurements.parquet", ["shots"])["shots"].drop_nulls()
    return shots.unique().sort().to_list()


def shots_of(results: Path) -> pl.DataFrame:
    """Read from what shots are drawn: all examples of each probe and format as one text."""
    rows = [
        {
            "probe": path.parent.parent.name,
            "probe_format": path.parent.name,
            "text": read_table(path, schema=EXAMPLES).select("item", "prompt", "target").write_json(),
        }
        for path in sorted((results / "examples").glob("*/*/shots.parquet"))
    ]
    return pl.DataFrame(rows, schema={"probe": pl.String(), "probe_format": pl.String(), "text": pl.String()})


def flips(pairs: Pairs) -> pl.DataFrame:
    """List the items whose score differs, the largest change first: what was asked, what each answered."""
    if pairs.rows.is_empty():
        return pairs.rows
    changed = pairs.rows.with_columns(change=pl.col("score_b") - pl.col("score")).filter(pl.col("change").abs() > 1e-9)
    order = [pl.col("change").abs()]
    return changed.sort(*order, "item", descending=[True, False], maintain_order=True)


def each(frame: pl.DataFrame) -> Iterator[dict]:
    """Give the rows of a frame."""
    yield from frame.iter_rows(named=True)
