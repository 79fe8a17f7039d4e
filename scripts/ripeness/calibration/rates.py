"""Count the verdicts of drawn studies: shares with their standard errors, and the limits that they must keep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from ripeness.calibration.designs import EFFECTS
from ripeness.calibration.ripe_studies import SET
from ripeness.stats.verdicts import SUPPORTED, UNDECIDED, VERDICTS

FALSE_SUPPORT, FALSE_IN_FAMILY, COVERS, LEFT_OPEN = 0.05, 0.10, (0.92, 0.97), 0.20
POWER = {1: 0.70, 2: 0.90}  # by reach; at the detectable size it is stated to be 0.80
SHORT = 0.10  # by which the power of a claim of no effect may fall short of what findings state
ERRORS = 2  # standard errors beyond a limit from which it counts as not kept


@dataclass(frozen=True)
class Limit:
    """A share that must lie between two limits, as counted in `n` studies of a cell."""

    cell: str
    finding: str
    what: str
    share: float
    n: int
    low: float = 0.0
    high: float = 1.0

    @property
    def error(self) -> float:
        """The binomial standard error at the limit that is nearer to the share."""
        limit = self.high if self.share > (self.low + self.high) / 2 else self.low
        return (limit * (1 - limit) / self.n) ** 0.5

    @property
    def is_kept(self) -> bool:
        """Whether the share is within the limits, or beyond by chance."""
        return self.low - ERRORS * self.error <= self.share <= self.high + ERRORS * self.error


def rates(rows: pl.DataFrame) -> pl.DataFrame:
    """Count verdicts by cell and finding, in the order of `rows`; the last column is coverage of the true effect."""
    covered = pl.col("low").le(pl.col("truth")) & pl.col("truth").le(pl.col("high"))
    share = [pl.col("verdict").eq(verdict).mean().alias(verdict) for verdict in VERDICTS]
    others = (~pl.col("verdict").is_in(VERDICTS)).mean().alias("other verdict")
    return rows.group_by("cell", "finding", maintain_order=True).agg(
        pl.len().alias("n"),
        pl.col("holds").first(),
        *share,
        others,
        (~pl.col("is_right")).mean().alias("false"),
        covered.mean().alias("coverage"),
        covered.count().alias("n_intervals"),
        pl.col("effect").mean(),
        pl.col("truth").mean(),
        pl.col("mde").median(),
        pl.col("power_at_zero").median(),
        pl.col("confidence").median(),
    )


def families(rows: pl.DataFrame) -> pl.DataFrame:
    """Count by cell the studies in which at least one claim is falsely supported, and at least one verdict is false."""
    supported = pl.col("verdict").eq(SUPPORTED) & ~pl.col("is_right")
    studies = rows.group_by("cell", "study", maintain_order=True).agg(
        supported=supported.any(), false=(~pl.col("is_right")).any()
    )
    return studies.group_by("cell", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("supported").mean(), pl.col("false").mean()
    )


def limits(rows: pl.DataFrame, reaches: Mapping[str, int]) -> list[Limit]:
    """List the limits of all cells and findings with what was counted; `reaches` are those of cells that have one."""
    found = [limit for row in rates(rows).iter_rows(named=True) for limit in limits_of(row, reaches)]
    for row in families(rows).iter_rows(named=True):
        found.append(Limit(row["cell"], "any", "falsely supported", row["supported"], row["n"], high=FALSE_IN_FAMILY))
    return found


def limits_of(row: Mapping[str, Any], reaches: Mapping[str, int]) -> Iterator[Limit]:
    """List the limits of one finding in one cell."""
    limit, n, reach = partial(Limit, row["cell"], row["finding"]), row["n"], reaches.get(row["cell"])
    if row["finding"] == SET:
        yield limit("the best is left out", row["false"], n, high=FALSE_SUPPORT)
    if not row["holds"]:
        yield limit("falsely supported", row[SUPPORTED], n, high=FALSE_SUPPORT)
    if row["n_intervals"]:
        is_simultaneous = (row["confidence"] or 0) > COVERS[1]  # for several parts or treatments: may cover more
        high = 1.0 if is_simultaneous else COVERS[1]
        yield limit("interval covers", row["coverage"], row["n_intervals"], low=COVERS[0], high=high)
    if not reach or not row["holds"] or row["finding"] not in EFFECTS:
        return
    if EFFECTS[row["finding"]][1] is not None:
        yield limit("supported where true", row[SUPPORTED], n, low=POWER[reach])
        if reach > 1:
            yield limit("left undecided", row[UNDECIDED], n, high=LEFT_OPEN)
    elif row["power_at_zero"] is not None:
        yield limit("supported where true", row[SUPPORTED], n, low=max(0.0, row["power_at_zero"] - SHORT))


def error(share: float | None, n: int) -> float | None:
    """Compute the standard error of a share; None without one."""
    return None if share is None or n == 0 else (share * (1 - share) / n) ** 0.5
