"""What the findings of the theory share: claims on simulated networks, with intervals over seeds."""

from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.finding import Finding, Settings, number, numbers, undecided, with_effect
from ripeness.stats.resampling import Estimate, with_interval

SOURCE = "Springer et al. 2025, section 4"
BLANK = Finding(covers="seeds (task, start, noise, examples)")
NO_WIDTH = "All seeds agree to the last digit: the interval has no width."


def over_seeds(values: np.ndarray, settings: Settings) -> Estimate:
    """Average over seeds with Student's interval; no interval for a single seed."""
    n = len(values)
    if n < 2 or np.isnan(values).any():
        return Estimate(float(np.mean(values)), *[np.nan] * 4)
    error = float(np.std(values, ddof=1) / np.sqrt(n))
    return with_interval(float(np.mean(values)), error, df=n - 1, confidence=settings.confidence)


def known(result: Estimate) -> dict[str, float | None]:
    """Write an estimate into a row of `details`; null where there is no interval."""
    return {key: number(value) for key, value in numbers(result).items()}


def judged(finding: Finding, values: np.ndarray, settings: Settings, *, smallest: float) -> Finding:
    """Let the mean over seeds decide the claim."""
    finding = replace(finding, n_seeds=len(values))
    result = over_seeds(values, settings)
    if np.isnan(result.low):
        lack = "one seed has no spread" if len(values) < 2 else "a seed has no value"
        finding = replace(finding, effect=number(result.effect))
        return undecided(finding, f"{lack}. {finding.statement}".rstrip("."))
    caveats = finding.caveats if result.se else (*finding.caveats, NO_WIDTH)
    return with_effect(replace(finding, caveats=caveats), result, settings, smallest=smallest)


def grid(rows: pl.DataFrame, value: str) -> np.ndarray:
    """Arrange the values of one series as [seeds, checkpoints], both increasing; NaN where there is none."""
    wide = rows.pivot("seed", index="checkpoint", values=value, sort_columns=True).sort("checkpoint")
    return wide.drop("checkpoint").to_numpy().astype(float).T
