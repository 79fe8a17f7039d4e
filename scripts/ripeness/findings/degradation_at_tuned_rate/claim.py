"""Does choosing the rate for each checkpoint remove the cost of later ones? (arXiv 2503.19206, section 3.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, listed, times, undecided, with_effect
from ripeness.findings.needs import has_cells, has_several_rates, has_tuned_text
from ripeness.findings.rate_grids import chosen_rates, grids_of, readings
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import TREATED, Curve, averaged
from ripeness.findings.turning_curves import caveats, counted, of_other_runs, size, turn_row, turning
from ripeness.stats.turning_points import Found, Refused
from ripeness.stats.verdicts import NO_HARM


def judge(tables: Tables, settings: Settings) -> Finding:
    """Contrast the last checkpoint with the best before it where each has the rate that is best on validation items.

    With it the three other readings of the same grid: fixed rate, equal displacement, equal answer loss.
    """
    cells = tables.cells
    grids = [grid for grid in grids_of(tables.measurements, cells, settings) if len(grid.rates) > 1]
    grids = [grid for grid in grids if grid.text[0].key["method"] == settings.method]
    if not grids:
        return undecided(Finding(), f"{settings.method!r} was not tried at several rates with running text measured")
    found = readings(grids, cells)
    mean = averaged(found["tuned"])
    if mean is None or not mean.is_whole:
        return undecided(Finding(), "the cells of the chosen rates are not all there")
    turn = turning(mean, settings)
    blank = counted(mean, turn)
    if isinstance(turn, Refused):
        return undecided(blank, turn.reason)
    details = [
        turn_row(curve, [key for key in TREATED if key in curve.key], settings, reading=name)
        | ({"rate_slope": rate_slope(cells, curve)} if name == "tuned" else {})
        for name, curves in found.items()
        for curve in curves
        if settings.has_details
    ]
    finding = replace(
        with_effect(blank, turn.peak, settings, smallest=settings.smallest_loss),
        statement=tuned_sentence(found, turn, mean, cells, settings),
        caveats=tuple(caveats([c for grid in grids for c in grid.text], mean, found["fixed"], turn)),
        details=tuple(details),
    )
    at_fixed = degradation_of(found["fixed"], mean, settings)
    if at_fixed is None or at_fixed.peak.low <= settings.smallest_loss:
        return undecided(finding, nothing_to_remove(at_fixed, finding.statement, settings))
    return finding


CLAIM = Claim(
    id="degradation-at-tuned-rate",
    text="Choosing the rate for each checkpoint removes this degradation.",
    source="Springer et al., arXiv 2503.19206, section 3.4",
    unit="nats a token of pre-training text after tuning at the chosen rate, last checkpoint minus the best before it",
    figure="tuning-loss",
    needs=(has_cells, has_tuned_text, has_several_rates),
    judge=judge,
    expects=NO_HARM,
)


def degradation_of(curves: Sequence[Curve], mean: Curve, settings: Settings) -> Found | None:
    """Contrast the last checkpoint with the best before it, the mean over curves of the same runs as another."""
    own = averaged([curve for curve in curves if curve.runs == mean.runs])
    turn = turning(own, settings) if own else None
    return turn if isinstance(turn, Found) else None


def nothing_to_remove(at_fixed: Found | None, statement: str, settings: Settings) -> str:
    """Say that fixed rates do not degrade, so that there is nothing that another rate could remove."""
    seen = "" if at_fixed is None else f" ({size(at_fixed)}, and {settings.smallest_loss:g} matters)"
    return f"fixed rates do not clearly degrade{seen}, so that there is nothing to remove. {statement}".rstrip(".")


def tuned_sentence(
    found: Mapping[str, Sequence[Curve]], turn: Found, mean: Curve, cells: pl.DataFrame, settings: Settings
) -> str:
    """Say what the four readings give, and how the chosen rate moves."""
    parts = []
    for name in ("fixed", "equal displacement", "equal answer loss"):
        if own := degradation_of(found[name], mean, settings):
            parts.append(f"{size(own)} at {'fixed rates' if name == 'fixed' else name}")
    text = f"At the rate chosen for each checkpoint the contrast is {size(turn)}"
    text += f", against {listed(parts)}" if parts else ""
    slopes = [slope for curve in found["tuned"] if (slope := rate_slope(cells, curve)) is not None]
    if slopes:
        slope = float(np.mean(slopes))
        text += f"; with twice the tokens the chosen rate is {times(slope)} as high"
    return f"{text}{of_other_runs(found['tuned'], mean, settings)}."


def rate_slope(cells: pl.DataFrame, curve: Curve) -> float | None:
    """Fit the doublings of the chosen rate per doubling of tokens, for one dataset, method and kind of run.

    The paper sorts datasets by it: where the rate falls fast, it makes up for what checkpoints grow sensitive by.
    """
    own = {name: curve.key[name] for name in ("dataset", "method")}
    chosen = chosen_rates(cells).filter(pl.col("series").is_in(curve.runs), **own)
    logs = chosen.group_by("tokens").agg(rate=pl.col("learning_rate").log(2).mean()).sort("tokens")
    if logs.height < 2:
        return None
    return float(np.polyfit(np.log2(logs["tokens"].to_numpy()), logs["rate"].to_numpy(), 1)[0])
