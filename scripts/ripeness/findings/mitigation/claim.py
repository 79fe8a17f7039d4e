"""How much pre-training text a treatment of tuning keeps, and what it costs on the dataset tuned on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from ripeness.findings.claim import Claim
from ripeness.findings.finding import (
    Finding,
    Settings,
    between,
    listed,
    numbers,
    on_enough,
    signed,
    undecided,
    with_parts,
)
from ripeness.findings.late_differences import MANY_DATASETS, over_late
from ripeness.findings.needs import has_cells, has_several_methods, has_tuned_text
from ripeness.findings.over_checkpoints import Over, covers_checkpoints, neighbour_caveats
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE, TEXT, in_trend
from ripeness.stats.neighbours import Neighbours
from ripeness.stats.resampling import Estimate
from ripeness.stats.verdicts import EFFECT, NO_HARM, Part
from ripeness.tables.intervals import mean_or_null
from ripeness.tables.single_numbers import as_number
from ripeness.tables.ways_of_tuning import comparable_ways

ON_ANSWERS = "nats a token of the answers tuned for, which decide here, the treatment minus plain tuning"
CELL = ["series", "tokens", "dataset", "format", "seed"]  # what a treated and a plain model share


@dataclass(frozen=True)
class Change:
    """What one treatment does against plain tuning: the loss it saves on pre-training text, and adds on answers."""

    method: str
    kept: Estimate
    cost: Estimate
    neighbours: Neighbours

    def parts(self, smallest: float, tries: int) -> tuple[Part, Part]:
        """Say what must hold of a treatment: it keeps text, and costs nothing on the answers."""
        kept, cost = (f"{self.method}: {what}" for what in ("pre-training text kept", "cost on the answers"))
        return (
            Part(self.kept, smallest, EFFECT, label=kept, tries=tries),
            Part(self.cost, smallest, NO_HARM, label=cost, unit=ON_ANSWERS, tries=tries),
        )


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare gentler ways with plain tuning on the same checkpoints, datasets, formats and seeds, at the chosen rates.

    A way with another start, fewer examples (a dose) or a text to learn is no gentler way of the same tuning.

    Over the later half of the checkpoints, which are a sample, as are datasets where there are three and more.
    Intervals are simultaneous for all treatments (Bonferroni).
    """
    alike = comparable_ways(tables.cells, settings.method)
    losses = tuned_losses(tables.measurements).filter(pl.col("method").is_in(alike))
    methods = sorted(set(losses["method"]))
    if settings.method not in methods or len(methods) < 2:
        return undecided(Finding(), f"no method other than {settings.method!r} was measured on text and on answers")
    trend = in_trend(losses).with_columns(is_late=pl.col("tokens") >= pl.col("tokens").unique().median().over("series"))
    late = trend.filter("is_late")
    others = [name for name in methods if name != settings.method]
    confidence = 1 - (1 - settings.confidence) / len(others)
    found = [change for name in others if (change := against_plain(trend, name, settings.method, confidence))]
    blank = Finding(
        n_checkpoints=late.select("series", "tokens").unique().height,
        n_seeds=late["seed"].n_unique(),
    )
    most = int(as_number(trend.group_by("series").agg(n=pl.col("tokens").n_unique())["n"].max()))
    if not found:
        return undecided(blank, "one seed of one run gives no estimate of variation between seeds")
    limit = settings.smallest_loss
    # the most that it certainly keeps, of those that certainly cost nothing; else of all
    found.sort(key=lambda change: (change.cost.high >= limit, -change.kept.low))
    blank = replace(
        blank,
        covers=covers(late, found),
        statement=sentence(found, plain=settings.method),
        caveats=tuple(caveats(late, found, settings)),
        details=tuple(rows(losses, found) if settings.has_details else ()),
    )
    finding = with_parts(blank, [change.parts(limit, len(others)) for change in found], settings)
    return on_enough(finding, most, settings)


CLAIM = Claim(
    id="mitigation",
    text="A gentler way of tuning keeps more of pre-training at no cost on the tuned dataset.",
    source="Springer et al., arXiv 2503.19206, section 4; for LoRA arXiv 2405.09673, for replay arXiv 2502.06042",
    unit="nats a token of pre-training text that the treatment keeps: plain tuning minus the treatment",
    figure="pareto",
    needs=(has_cells, has_tuned_text, has_several_methods),
    judge=judge,
)


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
    kept = pairs.with_columns(change=pl.col("text_plain") - pl.col("text"))
    cost = pairs.with_columns(change=pl.col("answer") - pl.col("answer_plain"))
    text, answer = over_late(kept, confidence), over_late(cost, confidence)
    if text.estimate is None or answer.estimate is None:
        return None
    return Change(method, text.estimate, answer.estimate, max(text.neighbours, answer.neighbours))


def covers(late: pl.DataFrame, found: list[Change]) -> str:
    """Say in words what the intervals cover."""
    n_runs, n_datasets = late["series"].n_unique(), late["dataset"].n_unique()
    over = Over(None, max(change.neighbours for change in found))
    said = covers_checkpoints(over, n_runs, f"{late['seed'].n_unique()} tuning seeds")
    return f"{n_datasets} datasets, {said}" if n_datasets >= MANY_DATASETS else f"{said}, and so are the datasets"


def sentence(found: list[Change], *, plain: str) -> str:
    """Say what every treatment keeps and costs."""

    def said(change: Change) -> str:
        kept, cost = (f"{signed(e.effect)} {between(e.low, e.high)}" for e in (change.kept, change.cost))
        return f"{change.method} keeps {kept} on pre-training text and costs {cost} on the answers"

    return f"Against {plain}, in nats a token over the later half of the checkpoints: {'; '.join(map(said, found))}."


def caveats(losses: pl.DataFrame, found: list[Change], settings: Settings) -> list[str]:
    """List caveats: how many treatments were compared, cells that are missing, the choice of the rate."""
    notes = neighbour_caveats(max(change.neighbours for change in found))
    if losses["dataset"].n_unique() < MANY_DATASETS:
        notes.append("Fewer than three datasets, which are taken as they are: on others a treatment may do otherwise.")
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
        answer: Mapping[str, float] = {f"answer_{name}": value for name, value in numbers(change.cost).items()}
        result.append({"level": "treatment", "method": change.method, **numbers(change.kept), **answer})
    means = losses.group_by(*PLACE, "dataset", "method").agg(pl.col("text", "answer").mean())
    return result + [{"level": "checkpoint", **row} for row in means.sort(means.columns[:6]).iter_rows(named=True)]
