"""The findings on overtraining, each tested where a study has measured what it asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from ripeness.findings.decay_or_tokens.claim import decay_or_tokens
from ripeness.findings.degradation.claim import degradation_at_fixed_rate, degradation_at_tuned_rate
from ripeness.findings.displacement_constancy.claim import displacement_constancy
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.mitigation.claim import mitigation
from ripeness.findings.progressive_sensitivity.claim import progressive_sensitivity
from ripeness.findings.treated_curves import TEXT
from ripeness.findings.turning_point.claim import turning_points


@dataclass(frozen=True)
class Measured:
    """The tables that the findings read; `sensitivity` is None where nothing was perturbed."""

    measurements: pl.DataFrame
    cells: pl.DataFrame
    sensitivity: pl.DataFrame | None = None


def has_noise(tables: Measured) -> bool:
    """Whether a checkpoint was perturbed with noise."""
    return tables.sensitivity is not None and "noise" in tables.sensitivity["perturbation"]


def has_tuned_text(tables: Measured) -> bool:
    """Whether a tuned model was measured on running text."""
    tuned = pl.col("method") != "base"
    return not tables.measurements.filter(tuned, pl.col("probe_kind") == TEXT).is_empty()


def has_rates(tables: Measured) -> bool:
    """Whether a method was tried at several rates, with running text measured."""
    rates = tables.cells.group_by("method", "dataset").agg(pl.col("learning_rate").n_unique())["learning_rate"]
    return has_tuned_text(tables) and (rates.max() or 0) > 1


def has_methods(tables: Measured) -> bool:
    """Whether models were tuned in several ways, with running text measured."""
    return has_tuned_text(tables) and len(set(tables.cells["method"]) - {"base"}) > 1


def has_decayed(tables: Measured) -> bool:
    """Whether there are checkpoints of several phases of pre-training that something was done to."""
    changed = [tables.cells.select("phase")] + ([tables.sensitivity.select("phase")] if has_noise(tables) else [])
    return (has_noise(tables) or has_tuned_text(tables)) and pl.concat(changed)["phase"].n_unique() > 1


# id -> whether the study has measured it, and the test
FINDINGS: Mapping[str, tuple[Callable[[Measured], bool], Callable[[Measured, Settings], Finding]]] = {
    "progressive-sensitivity": (has_noise, lambda t, s: progressive_sensitivity(t.sensitivity, s)),
    "degradation-at-fixed-rate": (has_tuned_text, lambda t, s: degradation_at_fixed_rate(t.measurements, t.cells, s)),
    "degradation-at-tuned-rate": (has_rates, lambda t, s: degradation_at_tuned_rate(t.measurements, t.cells, s)),
    "turning-point": (
        lambda t: has_noise(t) or has_tuned_text(t),
        lambda t, s: turning_points(t.measurements, t.sensitivity, s),
    ),
    "decay-or-tokens": (has_decayed, lambda t, s: decay_or_tokens(t.measurements, t.sensitivity, s)),
    "mitigation": (has_methods, lambda t, s: mitigation(t.measurements, s)),
    "displacement-constancy": (has_tuned_text, lambda t, s: displacement_constancy(t.cells, s)),
}


def overtraining_findings(tables: Measured, settings: Settings) -> list[Finding]:
    """Test what the study has measured."""
    return [test(tables, settings) for is_measured, test in FINDINGS.values() if is_measured(tables)]
