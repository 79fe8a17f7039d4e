"""Transfer between types of task where there are measurements and no items.

It is never decided: without items, a loss cannot be distinguished from a score that was high by chance. The numbers are
given with the reason, a ratio never alone.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from ripeness.findings.finding import Finding, Settings, listed, number, signed, undecided
from ripeness.findings.pairs import SMALL_BASE
from ripeness.findings.study_tables import Tables
from ripeness.findings.trajectories import trajectories_of
from ripeness.findings.transfer_between_types.losses import DIRECTIONS
from ripeness.findings.without_items import (
    PLACE,
    caveats_of,
    covers_of,
    kinds_of,
    method_caveats,
    missing_caveats,
    pairs_of,
)
from ripeness.tables.intervals import compared
from ripeness.tables.single_numbers import as_number

WITHIN = {"choice": "choice to other choice", "generation": "generation to other generation"}
HEADS = {"choice": "Tuning on choices", "generation": "Tuning on generated answers"}
TYPES = {"choice": "choices", "generation": "generated answers"}


def with_floors(pairs: pl.DataFrame, measurements: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Add what needs no skill, whether the untouched score is within the margin of it, and whether it is tiny."""
    curves = trajectories_of(compared(measurements))
    rows = [(c.series, c.probe, number(c.floor), c.floor_name) for c in curves]
    floors = pl.DataFrame(
        rows,
        schema={"series": pl.String, "probe": pl.String, "floor": pl.Float64, "floor_name": pl.String},
        orient="row",
    ).unique(["series", "probe"])
    return pairs.join(floors, on=["series", "probe"], how="left").with_columns(
        is_at_floor=pl.col("before") - pl.col("floor") <= settings.learned_margin,
        is_tiny=pl.col("before") < SMALL_BASE,
    )


def judge(tables: Tables, settings: Settings) -> Finding:
    """Say what tuning changes on other datasets, by direction; see claim.py."""
    measurements = tables.reported
    kinds = kinds_of(measurements, settings)
    pairs = pairs_of(measurements).filter(~pl.col("is_own"))
    caveats = [*caveats_of(measurements, settings), *method_caveats(measurements), *missing_caveats(pairs)]
    if pairs.is_empty():
        reason = "no pair of a tuned model and its untouched checkpoint was measured on a dataset not tuned on"
        return undecided(Finding(caveats=tuple(caveats)), reason)
    untyped = sorted(name for name in set(pairs["dataset"]) if kinds.get(name) not in HEADS)
    if untyped:
        caveats.append(f"Without a single type, and left out of both directions: {listed(untyped)}.")
    kind = pl.col("dataset").replace_strict(kinds, default=None, return_dtype=pl.String)
    pairs = (
        with_floors(pairs, measurements, settings).with_columns(kind=kind).sort("series", "tokens", "dataset", "probe")
    )
    parts = [direction_row(pairs, kind, name, is_across=True) for kind, name in DIRECTIONS.items()]
    parts += [direction_row(pairs, kind, name, is_across=False) for kind, name in WITHIN.items()]
    said = " ".join(str(part["statement"]) for part in parts[: len(DIRECTIONS)] if part["n_pairs"])
    finding = Finding(
        statement="Cannot be decided: without items, what could be lost is judged by the same score that the loss "
        f"starts from. {said}",
        covers=covers_of(measurements, is_tuned=True),
        n_seeds=measurements.filter(pl.col("method") != "base")["seed"].drop_nulls().n_unique(),
        n_checkpoints=pairs.select("series", "checkpoint").unique().height,
        caveats=(*caveats, *ratio_caveats(parts)),
        details=(*({k: v for k, v in part.items() if k != "statement"} for part in parts), *pair_rows(pairs)),
    )
    changes = [part["effect"] for part in parts[:2]]
    return finding if None in changes else replace(finding, effect=as_number(changes[1]) - as_number(changes[0]))


def direction_row(pairs: pl.DataFrame, kind: str, name: str, *, is_across: bool) -> dict[str, object]:
    """Average difference and ratios of all pairs in one direction: the row of `details`, with a sentence."""
    is_other = (pl.col("probe_kind") != kind) if is_across else (pl.col("probe_kind") == kind)
    found = pairs.filter((pl.col("kind") == kind) & is_other)
    other = {"choice": "generation", "generation": "choice"}[kind] if is_across else kind
    row: dict[str, object] = {"level": "direction", "direction": name, "n_pairs": found.height}
    row |= dict.fromkeys(("effect", "median", "ratio_mean", "ratio_median", "ratio_mean_without_tiny"))
    if found.is_empty():
        return row | {"reason": "not measured", "statement": ""}
    ratios = found.filter(pl.col("ratio").is_not_null())
    large = ratios.filter(~pl.col("is_tiny"))["ratio"]
    n_tiny, n_floor = int(found["is_tiny"].sum()), int(found["is_at_floor"].sum())
    row |= {
        "effect": as_number(found["change"].mean()),
        "median": as_number(found["change"].median()),
        "n_ratios": ratios.height,  # an untouched score of 0 has none
        "ratio_mean": ratios["ratio"].mean(),
        "ratio_median": ratios["ratio"].median(),
        "ratio_mean_without_tiny": large.mean(),
        "n_tiny": n_tiny,
        "n_at_floor": n_floor,
        "n_floor_unknown": found["floor"].null_count(),
        "reason": "no items",
    }
    what = f"{'other ' if not is_across else ''}{TYPES[other]}"
    return row | {"statement": sentence(row, f"{HEADS[kind]} changes the score on {what}")}


def sentence(row: Mapping[str, object], head: str) -> str:
    """Say what changes, with what the numbers cannot say."""
    text = f"{head} by {signed(as_number(row['effect']))} over {row['n_pairs']} pairs"
    if row["ratio_mean"] is not None:
        text += f", on average {row['ratio_mean']:+.1%} of the untouched score (median {row['ratio_median']:+.1%})"
    if row["n_tiny"]:
        without = row["ratio_mean_without_tiny"]
        text += f"; {row['n_tiny']} of them start below {SMALL_BASE:g}"
        text += f", and without these the average is {without:+.1%}" if without is not None else ""
    if row["n_at_floor"]:
        text += (
            f"; in {row['n_at_floor']} of them the untouched score is close to its floor and has almost nothing to lose"
        )
    if row["n_floor_unknown"]:
        text += f"; for {row['n_floor_unknown']} no floor is known, nor whether there was something to lose"
    return text.replace("-", "−") + "."


def ratio_caveats(parts: list[dict[str, object]]) -> list[str]:
    """List caveats on ratios to tiny scores and on "no forgetting" where nothing is known."""
    caveats = []
    for part in parts:
        if part["n_pairs"] and part["n_tiny"]:
            caveats.append(
                f"{part['direction']}: a ratio to a score below {SMALL_BASE:g} is not meaningful, and {part['n_tiny']} "
                f"of {part['n_pairs']} are such ratios; they dominate the mean."
            )
        if part["n_pairs"] and part["n_at_floor"] == part["n_pairs"]:
            caveats.append(
                f"{part['direction']}: every untouched score is close to its floor (chance, the most frequent answer, "
                "or the first checkpoint), so that an unchanged score would not show that nothing was forgotten."
            )
    return caveats


def pair_rows(pairs: pl.DataFrame) -> list[dict[str, object]]:
    """Make the rows of `details` for each pair of datasets and checkpoint."""
    shown = [*PLACE, "dataset", "probe", "before", "after", "change", "ratio", "floor", "is_tiny", "is_at_floor"]
    arrow = pl.format("{} to {}", pl.col("kind").fill_null("no type"), "probe_kind")
    return pairs.select(pl.lit("pair").alias("level"), arrow.alias("direction"), *shown).to_dicts()
