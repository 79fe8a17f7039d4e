"""Does tuning at a fixed rate cost later checkpoints more? (arXiv 2503.19206, section 3.3)."""

from collections.abc import Sequence
from dataclasses import replace

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided, with_effect
from ripeness.findings.needs import has_cells, has_tuned_text
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import TREATED, Curve, answer_losses, averaged, text_losses
from ripeness.findings.turning_curves import caveats, counted, of_other_runs, size, turn_rows, turning
from ripeness.runtime.wording import human
from ripeness.stats.turning_points import Found, Refused, TurningPoint


def judge(tables: Tables, settings: Settings) -> Finding:
    """Contrast the last checkpoint with the best before it, on text and on answers, the mean over datasets and rates.

    Of the method of the settings, which is plain tuning; `details` have all. The best is picked, which the interval
    knows of (see stats/peaks.py). Rates at which a cell is missing are left out.
    """
    every = text_losses(tables.measurements, settings)
    curves = [curve for curve in every if curve.key["method"] == settings.method]
    whole = [curve for curve in curves if curve.is_whole]
    mean = averaged(whole)
    if mean is None:
        return undecided(Finding(), "no loss on running text was measured of tuned models at every checkpoint")
    found = turning(mean, settings)
    blank = counted(mean, found)
    if isinstance(found, Refused):
        return undecided(blank, found.reason)
    answers = [curve for curve in answer_losses(tables.measurements, settings) if curve.is_whole]
    inside = averaged([c for c in answers if c.runs == mean.runs and c.key["method"] == settings.method])
    own = turning(inside, settings) if inside else None
    details = turn_rows([curve for curve in every if curve.is_whole], TREATED, settings, loss="text")
    details += turn_rows(answers, TREATED, settings, loss="answer")
    return replace(
        with_effect(blank, found.peak, settings, smallest=settings.smallest_loss),
        statement=fixed_sentence(mean, found, own, whole, settings),
        caveats=tuple(caveats(curves, mean, whole, found)),
        details=tuple(details),
    )


CLAIM = Claim(
    id="degradation-at-fixed-rate",
    text="Tuned at a fixed rate, late checkpoints end up worse on pre-training text than earlier ones.",
    source="Springer et al., arXiv 2503.19206, section 3.3",
    unit="nats a token of pre-training text after tuning, last checkpoint minus the best before it",
    figure="tuning-loss",
    needs=(has_cells, has_tuned_text),
    judge=judge,
)


def fixed_sentence(
    mean: Curve, found: Found, own: TurningPoint | None, whole: Sequence[Curve], settings: Settings
) -> str:
    """Say what happens to the text and to the answers, and at which rates."""
    best = human(round(mean.tokens[found.peak.best]))
    text = (
        f"After tuning, the last checkpoint ({human(round(mean.tokens[-1]))} tokens) is at {mean.mean[-1]:.2f} nats a "
        f"token of pre-training text and the best before it ({best}) at {mean.mean[found.peak.best]:.2f}, "
        f"{size(found)}"
    )
    rates = sorted({curve.rate for curve in whole})
    worse = []
    for rate in rates:
        at = averaged([c for c in whole if c.rate == rate and c.runs == mean.runs])
        turn = turning(at, settings) if at else None
        if isinstance(turn, Found) and turn.peak.low > settings.smallest_loss:
            worse.append(f"{rate:g}")
    if len(rates) > 1:
        text += f"; clear at {len(worse)} of {len(rates)} single rates" + (f" ({', '.join(worse)})" if worse else "")
    text += of_other_runs(whole, mean, settings)
    if isinstance(own, Found):
        text += f". On the answers tuned for the same contrast is {size(own)}"
    return f"{text}."
