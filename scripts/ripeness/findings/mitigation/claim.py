"""How much pre-training text a treatment of tuning keeps, and what it costs on the dataset tuned on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, between, listed, numbers, on_enough, signed, undecided
from ripeness.findings.needs import has_cells, has_several_methods, has_tuned_text
from ripeness.findings.over_runs import covers_runs, over_runs
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE, TEXT, in_trend
from ripeness.stats.resampling import Estimate, absence_p
from ripeness.tables.intervals import mean_or_null
from ripeness.tables.single_numbers import as_number

ON_ANSWERS = "nats a token of the answers tuned for, which decide here, the best treatment minus plain tuning"
CELL = ["series", "tokens", "dataset", "format", "seed"]  # what a treated and a plain model share


@dataclass(frozen=True)
class Change:
    """What one treatment changes against plain tuning: on pre-training text, and on the answers tuned for."""

    method: str
    text: Estimate
    answer: Estimate


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare every method with plain tuning on the same checkpoints, datasets, formats and seeds, at the chosen rates.

    Over the later half of the checkpoints. Intervals are simultaneous for all treatments (Bonferroni).
    """
    losses = tuned_losses(tables.measurements)
    methods = sorted(set(losses["method"]))
    if settings.method not in methods or len(methods) < 2:
        return undecided(Finding(), f"no method other than {settings.method!r} was measured on text and on answers")
    late = in_trend(losses).filter(pl.col("tokens") >= pl.col("tokens").unique().median().over("series"))
    others = [name for name in methods if name != settings.method]
    confidence = 1 - (1 - settings.confidence) / len(others)
    found = [change for name in others if (change := against_plain(late, name, settings.method, confidence))]
    if not found:
        return undecided(Finding(), "one seed of one run gives no estimate of variation between seeds")
    limit = settings.smallest_loss
    # the least that it certainly buys, of those that certainly cost nothing; else of all
    best = min(found, key=lambda change: (change.answer.high >= limit, change.text.high))
    verdict, trend = verdict_of(found, limit), in_trend(losses)
    decides = "answer" if decided_by_answers(best, verdict, limit) else "text"
    blank = Finding(
        n_checkpoints=late.select("series", "tokens").unique().height,
        n_seeds=late["seed"].n_unique(),
        covers=covers_runs(late["series"].n_unique(), late["seed"].n_unique(), "tuning seeds"),
        verdict=verdict,
        statement=sentence(found, best, limit, plain=settings.method),
        caveats=tuple(caveats(late, found, settings)),
        details=tuple(rows(losses, found)),
        unit=ON_ANSWERS if decides == "answer" else "",
    )
    shown = best.answer if decides == "answer" else best.text
    p_value = absence_p(shown, smallest=limit) if decides == "answer" else shown.p_value
    finding = replace(
        blank,
        effect=shown.effect,
        low=shown.low,
        high=shown.high,
        mde=shown.mde,
        confidence=confidence,
        p_value=min(1.0, p_value * len(found)),
    )
    most = trend.group_by("series").agg(n=pl.col("tokens").n_unique())["n"].max()
    return on_enough(finding, int(as_number(most)), settings)


CLAIM = Claim(
    id="mitigation",
    text="A gentler way of tuning keeps more of pre-training at no cost on what is tuned for.",
    source="Springer et al., arXiv 2503.19206, section 4; for LoRA arXiv 2405.09673, for replay arXiv 2502.06042",
    unit="nats a token of pre-training text after tuning, the best treatment minus plain tuning",
    figure="pareto",
    needs=(has_cells, has_tuned_text, has_several_methods),
    judge=judge,
)


def decided_by_answers(best: Change, verdict: str, limit: float) -> bool:
    """Say whether the answers of the best treatment decide, or leave open, what the text alone would not."""
    if verdict == "contradicted":
        return best.text.low <= -limit
    return verdict == "undecided" and best.text.high < -limit


def tuned_losses(measurements: pl.DataFrame) -> pl.DataFrame:
    """Collect losses on running text and on right answers (nats a token) of tuned models at their chosen rates."""
    tuned = measurements.filter(pl.col("method") != "base", pl.col("is_chosen"))
    keys = [*PLACE, *[name for name in (*CELL, "method") if name not in PLACE]]
    text = tuned.filter(pl.col("probe_kind") == TEXT, pl.col("metric") == "loss")
    own = (pl.col("probe") == pl.col("dataset")) & (pl.col("probe_format") == pl.col("format"))
    answer = tuned.filter(own, pl.col("metric") == "answer_loss", pl.col("split") == "test")
    means = [
        rows_.group_by(keys).agg(mean_or_null("value").alias(name)).drop_nulls(name)
        for rows_, name in ((text, "text"), (answer, "answer"))
    ]
    return means[0].join(means[1], on=keys).sort(keys)


def against_plain(losses: pl.DataFrame, method: str, plain: str, confidence: float) -> Change | None:
    """Estimate paired differences of a method from plain tuning; None where nothing varies to give an interval."""
    pairs = losses.filter(method=method).join(losses.filter(method=plain), on=CELL, suffix="_plain")
    text, answer = (
        difference(pairs.with_columns(change=pl.col(kind) - pl.col(f"{kind}_plain")), confidence)
        for kind in ("text", "answer")
    )
    return None if text is None or answer is None else Change(method, text, answer)


def difference(pairs: pl.DataFrame, confidence: float) -> Estimate | None:
    """Estimate the mean change over tuning seeds and pre-training runs; see `over_runs`."""
    means = pairs.group_by("series", "seed").agg(pl.col("change").mean()).sort("series", "seed")
    return over_runs({run: own["change"].to_list() for (run,), own in means.group_by("series")}, confidence=confidence)


def verdict_of(found: list[Change], limit: float) -> str:
    """Support a treatment that keeps text at no cost; contradict where each keeps nothing, or costs on answers."""
    if any(change.text.high < -limit and change.answer.high < limit for change in found):
        return "supported"
    if all(change.text.low > -limit or change.answer.low > limit for change in found):
        return "contradicted"
    return "undecided"


def sentence(found: list[Change], best: Change, limit: float, *, plain: str) -> str:
    """Say what every treatment keeps and costs, the best first."""
    ordered = [best, *[change for change in found if change is not best]]

    def said(change: Change) -> str:
        text, answer = (f"{signed(e.effect)} {between(e.low, e.high)}" for e in (change.text, change.answer))
        return f"{change.method} {text} on pre-training text and {answer} on the answers"

    return f"Against {plain}, in nats a token over the later half of the checkpoints: {'; '.join(map(said, ordered))}."


def caveats(losses: pl.DataFrame, found: list[Change], settings: Settings) -> list[str]:
    """List caveats: how many treatments were compared, cells that are missing, the choice of the rate."""
    notes = []
    if len(found) > 1:
        notes.append(f"{len(found)} treatments were compared; the intervals hold for all of them at once.")
    sizes = {name: losses.filter(method=name).height for name in (settings.method, *[c.method for c in found])}
    if len(set(sizes.values())) > 1:
        few = listed([f"{name} has {n}" for name, n in sizes.items()])
        notes.append(f"Not all methods have the same cells ({few}): only pairs are compared.")
    notes.append("Each method is at its own learning rate; what a treatment saves, a smaller rate may save as well.")
    return notes


def rows(losses: pl.DataFrame, found: list[Change]) -> list[dict[str, object]]:
    """Make a row of `details` for each treatment, then the means of every method at every checkpoint."""
    result: list[dict[str, object]] = []
    for change in found:
        answer: Mapping[str, float] = {f"answer_{name}": value for name, value in numbers(change.answer).items()}
        result.append({"level": "treatment", "method": change.method, **numbers(change.text), **answer})
    means = losses.group_by(*PLACE, "dataset", "method").agg(pl.col("text", "answer").mean())
    return result + [{"level": "checkpoint", **row} for row in means.sort(means.columns[:6]).iter_rows(named=True)]
