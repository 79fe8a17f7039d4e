"""The effect of a user's own claim as a weighted sum of rows: a contrast of two selections, or a trend of one.

Every unit (a dataset tuned on and what is asked) counts alike, and within it every series, every checkpoint, and what
is left. A contrast is of matched rows: those that agree in all that the claim does not compare. A trend is the change
of a least-squares line in the logarithm of tokens, from the first to the last checkpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.findings.own_rows import Source
from ripeness.findings.own_selection import OwnClaim, levels_apart, levels_of_side, selected
from ripeness.findings.scores import Point
from ripeness.findings.two_estimates import course
from ripeness.stats.at_large import Course
from ripeness.stats.random_levels import Component
from ripeness.tables.intervals import mean_or_null
from ripeness.tables.single_numbers import as_number

UNITS = ["dataset", "probe"]
BASE_OF = ["series", "checkpoint", "probe", "asked_in"]
BY_TOKENS = {"series", "phase"}  # where these are compared, checkpoints are matched by their tokens


@dataclass(frozen=True)
class Side:
    """Rows of one selection, and the levels by which they are matched; `sign` is that of its part of the effect."""

    source: Source
    rows: pl.DataFrame
    levels: list[str]
    sign: int


@dataclass(frozen=True)
class Design:
    """Cells: matched rows (`ids`, `ids_against`) with their `value` and `weight` in the effect, at checkpoints chosen.

    `everywhere` holds the cells of all checkpoints, to see how these scatter; it is by side where the claim compares
    checkpoints, and one table else.
    """

    sides: list[Side]
    cells: pl.DataFrame
    everywhere: list[pl.DataFrame]
    is_between_points: bool

    @property
    def units(self) -> list[str]:
        """List the levels that make a unit."""
        return [level for level in UNITS if level in self.cells.columns]

    @property
    def effect(self) -> float:
        """Sum up."""
        return float((self.cells["value"] * self.cells["weight"]).sum())

    @property
    def used(self) -> pl.DataFrame:
        """List the rows that the effect is made of."""
        columns = ["series", "checkpoint", "tokens", "dataset", "probe", "seed", "method"]
        parts = [
            side.rows.filter(pl.col("id").is_in(self.cells[column].explode().to_list())).select(columns)
            for side, column in zip(self.sides, ("ids", "ids_against"), strict=False)
        ]
        return pl.concat(parts)

    def by(self, levels: list[str]) -> pl.DataFrame:
        """Give the effect of each member of some levels: the weighted sum over its own share of the weights."""
        values = self.cells.with_columns(part=pl.col("value") * pl.col("weight"), n=pl.struct(levels).n_unique())
        return values.group_by(levels).agg(effect=pl.col("part").sum() * pl.col("n").first()).sort(levels)

    def standard_error(self) -> float | None:
        """Compute the standard error of the effect where there are no items; None where one is not known.

        Models that are compared are taken as independent, and cells that share a probe as fully dependent, since they
        share items: both are the wider choice.
        """
        against = pl.col("se_against") if "se_against" in self.cells.columns else pl.lit(0.0)
        errors = self.cells.with_columns(error=pl.col("weight").abs() * (pl.col("se") ** 2 + against**2).sqrt())
        if errors["error"].null_count():
            return None
        alike = [level for level in ("probe",) if level in errors.columns]
        by_probe = errors.group_by(alike).agg(pl.col("error").sum()) if alike else errors.select(pl.col("error").sum())
        return float((by_probe["error"] ** 2).sum()) ** 0.5

    def row_weights(self) -> list[dict[int, float]]:
        """Give the weight of every row by side; of a change, the untouched rows count against the tuned ones."""
        found: list[dict[int, float]] = [{} for _ in self.sides]
        for place, column in enumerate(["ids", "ids_against"][: len(self.sides)]):
            sign = 1 if place == 0 else -1
            for ids, weight in self.cells.select(column, "weight").iter_rows():
                for number in ids:
                    found[place][number] = found[place].get(number, 0.0) + sign * weight / len(ids)
        for own, side in zip(found, self.sides, strict=True):
            if "base_ids" not in side.rows.columns:
                continue
            for number, before in side.rows.select("id", "base_ids").iter_rows():
                for untouched in before if number in own else ():
                    own[untouched] = own.get(untouched, 0.0) - own[number] / len(before)
        return found


def design_of(claim: OwnClaim, sources: Sequence[Source]) -> Design | None:
    """Match the rows that a claim selects, and weigh them; None where no rows match.

    `sources` are by side.
    """
    apart, by_tokens = levels_apart(claim), bool(claim.compared() & BY_TOKENS)
    selections = [claim.compare, *([claim.against] if claim.against is not None else [])]
    sides = []
    named = (claim.compare, claim.named_against)
    for place, (selection, source, own) in enumerate(zip(selections, sources, named, strict=False)):
        if source.rows.is_empty():
            return None
        rows = selected(source.rows, selection, written=own, is_text=claim.is_of_texts)
        rows = with_change(rows, source.rows) if claim.of == "change" else rows
        point = pl.col("tokens").cast(pl.String) if by_tokens else pl.col("checkpoint")
        levels = [level for level in levels_of_side(selection) if level not in apart]
        sides.append(Side(source, rows.with_columns(point=point), levels, (1, -1)[place]))
    if by_tokens and "point" not in apart and not set(sides[0].rows["point"]) & set(sides[1].rows["point"]):
        sides = [Side(s.source, s.rows, [level for level in s.levels if level != "point"], s.sign) for s in sides]
    return trend_of(sides, claim) if claim.against is None else contrast_of(sides, claim)


def with_change(rows: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
    """Take from tuned models what their untouched checkpoint scores, asked the same; `base_ids` are its rows."""
    base = every.filter(method="base").group_by(BASE_OF)
    before = base.agg(before=pl.col("value").mean(), se_before=mean_or_null("se"), base_ids="id")
    error = (pl.col("se") ** 2 + pl.col("se_before") ** 2).sqrt()
    return rows.join(before, on=BASE_OF).with_columns(value=pl.col("value") - pl.col("before"), se=error)


def trend_of(sides: list[Side], claim: OwnClaim) -> Design | None:
    """Weigh the cells of one selection such that their sum is the change along a line in log tokens."""
    (side,) = sides
    every = cells_of(side.rows.filter(pl.col("tokens") > 0), side.levels)
    cells = every.filter("is_chosen")
    where = [level for level in [*UNITS, "series"] if level in cells.columns]
    cells = cells.with_columns(place=pl.col("tokens").log()).filter(pl.col("tokens").n_unique().over(where) > 1)
    if cells.is_empty():
        return None
    cells = cells.with_columns(centred=pl.col("place") - pl.col("place").mean().over(where))
    span = pl.col("place").max() - pl.col("place").min()
    slope = pl.col("centred") * (span / (pl.col("centred") ** 2).sum()).over(where)
    cells = cells.with_columns(weight=claim.sign * slope * share(where)).drop("place", "centred")
    return Design(sides, cells, [every], is_between_points=False)


def contrast_of(sides: list[Side], claim: OwnClaim) -> Design | None:
    """Match the cells of two selections and weigh their differences."""
    is_between = "point" not in sides[0].levels
    first, second = (cells_of(side.rows.filter("is_chosen"), side.levels) for side in sides)
    cells = matched(first, second, sides)
    if cells.is_empty():
        return None
    where = [level for level in [*UNITS, "series", "point"] if level in cells.columns]
    alike = pl.len().over(where) if where else pl.len()
    cells = cells.with_columns(weight=claim.sign * share(where) / alike)
    if is_between:
        return Design(sides, cells, [cells_of(s.rows, [*s.levels, "point"]) for s in sides], is_between_points=True)
    every, every_against = (cells_of(side.rows, side.levels) for side in sides)
    whole = matched(every, every_against, sides)
    return Design(sides, cells, [whole], is_between_points=False)


def cells_of(rows: pl.DataFrame, levels: list[str]) -> pl.DataFrame:
    """Average the rows that agree in their levels."""
    mean = [pl.col("value").mean(), mean_or_null("se").alias("se"), pl.col("tokens").first()]
    mean.append(pl.col("is_chosen").any())
    if not levels:
        return rows.select(*mean, ids=pl.col("id").implode())
    return rows.group_by(levels).agg(*mean, ids=pl.col("id")).sort(levels)


def matched(first: pl.DataFrame, second: pl.DataFrame, sides: list[Side]) -> pl.DataFrame:
    """Take the difference of cells that agree in all levels that both have."""
    common = [level for level in sides[0].levels if level in sides[1].levels]
    second = second.rename({name: f"{name}_against" for name in ("ids", "value", "se")}).drop("tokens", "is_chosen")
    both = first.join(second, on=common, nulls_equal=True) if common else first.join(second, how="cross")
    return both.with_columns(value=pl.col("value") - pl.col("value_against"))


def share(levels: list[str]) -> pl.Expr:
    """Give each cell the share of its unit, alike for all units, then of its series and checkpoint within it."""
    found, above = pl.lit(1.0), list[str]()
    nested = [[level for level in levels if level in UNITS], *[[level] for level in levels if level not in UNITS]]
    for own in filter(None, nested):
        count = pl.struct(own).n_unique()
        found = found / (count.over(above) if above else count)
        above = [*above, *own]
    return found


def seeds_of(design: Design, claim: OwnClaim, weights: list[dict[int, float]]) -> Component | None:
    """Compute what training seeds do to the effect: a seed of a dataset moves all rows of that dataset and seed.

    What a row has beyond the mean of its seeds is that of its seed. A dataset with one seed borrows the variation from
    those with several; None where none has.
    """
    parts = []
    for side, own in zip(design.sides, weights, strict=True):
        rows = side.rows.filter(pl.col("method") != "base", pl.col("id").is_in(list(own)))
        cell = ["series", "checkpoint", "dataset", "probe", "format", "asked_in", "method"]
        beyond = pl.col("value") - pl.col("value").mean().over(cell)
        share = pl.col("id").replace_strict(own, return_dtype=pl.Float64) if own else pl.lit(0.0)
        parts.append(rows.select("series", "dataset", "seed", moved=beyond * share))
    moved = pl.concat(parts).group_by("series", "dataset", "seed").agg(pl.col("moved").sum())
    units = moved.group_by("series", "dataset").agg(n=pl.len(), squares=(pl.col("moved") ** 2).sum())
    several = units.filter(pl.col("n") > 1)
    if several.is_empty():
        return None
    variances = several.select(own=pl.col("squares") * pl.col("n") / (pl.col("n") - 1), n="n")
    single = as_number((variances["own"] * variances["n"]).mean())
    total = float(variances["own"].sum()) + (units.height - several.height) * single
    squares = float((variances["own"] ** 2 / (variances["n"] - 1)).sum())
    df = total**2 / squares if squares > 0 else float((variances["n"] - 1).sum())
    return Component(total, min(df, float((variances["n"] - 1).sum())))


def courses_of(design: Design, claim: OwnClaim) -> list[Course]:
    """Follow the cells over the checkpoints of each series, to see how checkpoints scatter."""
    if not design.is_between_points:
        (cells,) = design.everywhere
        found = []
        for series, part in by_series(cells):
            own = [design.cells.filter(series=series) if "series" in design.cells.columns else design.cells]
            weights = dict(own[0].group_by("point").agg(pl.col("weight").sum()).iter_rows())
            found.append(followed(part, design.units, weights, series))
        return found
    parts: list[tuple[str, pl.DataFrame, dict[str, float]]] = []
    for side, cells in zip(design.sides, design.everywhere, strict=True):
        every = by_series(cells)
        for series, part in every:
            chosen = part.filter("is_chosen")["point"].unique().to_list()
            weights = {point: claim.sign * side.sign / len(chosen) / len(every) for point in chosen}
            parts.append((series, part, weights))
    if claim.compared() <= {"checkpoint"}:  # both sides follow the same curve
        merged: dict[str, tuple[pl.DataFrame, dict[str, float]]] = {}
        for series, part, weights in parts:
            before = merged.get(series, (part, {}))[1]
            merged[series] = (part, {p: before.get(p, 0.0) + weights.get(p, 0.0) for p in before | weights})
        parts = [(series, *rest) for series, rest in merged.items()]
    return [followed(part, design.units, weights, series) for series, part, weights in parts]


def by_series(cells: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Split cells by series; all are of one where the claim compares series."""
    if "series" not in cells.columns:
        return [("", cells)]
    return [(str(name), part) for (name,), part in cells.group_by("series", maintain_order=True)]


def followed(cells: pl.DataFrame, units: list[str], weights: dict[str, float], series: str) -> Course:
    """Arrange cells as [points, units] in order of tokens; `weights` are those of points in the effect."""
    means = cells.group_by("point", *units).agg(pl.col("value").mean(), pl.col("tokens").first())
    order = means.group_by("point").agg(pl.col("tokens").min()).sort("tokens", "point")
    names = means.select(units).unique().sort(units).rows() if units else [()]
    values = np.full((order.height, len(names)), np.nan)
    rows, columns = order["point"].to_list(), {name: place for place, name in enumerate(names)}
    for point, *unit, value in means.select("point", *units, "value").iter_rows():
        values[rows.index(point), columns[tuple(unit)]] = value
    points = [Point(series, name, 0, tokens or 0, "", 0) for name, tokens in order.select("point", "tokens").rows()]
    return course(points, [values], np.array([weights.get(name, 0.0) for name in rows]))
