"""What the sentences above figures are made of: a figure says what it shows, in numbers of its own data."""

import polars as pl

from ripeness.figures.colours import METHOD_COLOURS
from ripeness.tables.single_numbers import as_number


def signed(value: float, places: int = 2) -> str:
    """Write a change with its sign; 0 has none."""
    text = f"{value:+.{places}f}".replace("-", "−")
    return text[1:] if not text.strip("+−0.") else text


def latest(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows of the last checkpoint: of those in the trend, else of all."""
    in_trend = frame.filter(~pl.col("is_alone"))
    rows = frame if in_trend.is_empty() else in_trend
    return rows if rows.is_empty() else rows.filter(pl.col("order") == rows["order"].max())


def earliest(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows of the first checkpoint of the trend, else of all."""
    in_trend = frame.filter(~pl.col("is_alone"))
    rows = frame if in_trend.is_empty() else in_trend
    return rows if rows.is_empty() else rows.filter(pl.col("order") == rows["order"].min())


def place_of(rows: pl.DataFrame) -> str:
    """Name the checkpoint of some rows: "at 4.2M tokens", or by its name where the label is that."""
    label, tokens = rows["label"][0], rows["tokens"][0]
    return f"at {label}" if tokens is None or label == rows["checkpoint"][0] else f"at {label} tokens"


def main_method(frame: pl.DataFrame) -> str:
    """Name the method that a sentence is about: plain tuning, else the first one that tunes."""
    names = [name for name in METHOD_COLOURS if name != "base" and name in set(frame["method"])]
    return names[0] if names else min(set(frame["method"].drop_nulls()) - {"base"}, default="")


def most_and_least(rows: pl.DataFrame, name: str = "panel", places: int = 2) -> str:
    """Say where the mean value is most and where least; empty for one place."""
    means = rows.drop_nulls("value").group_by(name).agg(pl.col("value").mean()).sort("value", name)
    if means.height < 2:
        return ""
    (low, least), (high, most) = means.row(0), means.row(-1)
    return f", most on {high} ({signed(most, places)}), least on {low} ({signed(least, places)})"


def mean_of(rows: pl.DataFrame, column: str = "value") -> float:
    """Average a column; NaN where nothing is known."""
    known = rows[column].drop_nulls()
    return as_number(known.mean()) if len(known) else float("nan")


def change_by_tuning(frame: pl.DataFrame, unit: str, places: int = 2) -> str:
    """Say what tuning changes at the last checkpoint, on average and where most and least."""
    changes = frame.filter(pl.col("row").str.starts_with("change"), pl.col("format") == "all")
    changes = changes.filter(pl.col("method") == main_method(changes))
    if changes.drop_nulls("value").is_empty():
        return f"No change in {unit} by tuning is known"
    rows = latest(changes)
    by = main_method(changes)
    mean = signed(mean_of(rows), places)
    return f"Tuning ({by}) changes the {unit} by {mean} {place_of(rows)}{most_and_least(rows, places=places)}"
