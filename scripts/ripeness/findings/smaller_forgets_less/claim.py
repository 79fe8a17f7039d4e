"""Do ways of tuning that train fewer numbers forget less at an equal gain?

At its own rate a small way forgets less because it also learns less. Here both are held at the same loss on the
answers, by interpolation over their rates, as Biderman et al. compare LoRA with full tuning.
"""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from ripeness.findings.aligned import with_halves
from ripeness.findings.by_halves import BY, Question, decided_by
from ripeness.findings.claim import Claim
from ripeness.findings.equal_losses import losses, matched, paths_of
from ripeness.findings.finding import Finding, Settings, listed, numbers, undecided
from ripeness.findings.late_differences import LATE, MANY_DATASETS, over_late
from ripeness.findings.needs import has_cells, has_smaller_methods, has_tuned_text
from ripeness.findings.over_checkpoints import Over, covers_checkpoints
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import in_trend
from ripeness.findings.two_estimates import shown
from ripeness.stats.resampling import Estimate
from ripeness.tables.ways_of_tuning import smaller_methods

FEW_RATES = 2  # fewer are a straight line from the untouched model


def judge(tables: Tables, settings: Settings) -> Finding:
    """Average what smaller ways keep of the loss on text over ways, late checkpoints, datasets, formats and seeds."""
    smaller = smaller_methods(tables.cells, settings.method)
    found = losses(tables.measurements)
    pairs = matched(paths_of(found), settings.method, smaller)
    if pairs.is_empty():
        return undecided(Finding(), f"no smaller way than {settings.method!r} was measured on text and on answers")
    known = pairs.drop_nulls("change")
    blank = Finding(n_seeds=pairs["seed"].n_unique(), caveats=tuple(caveats(pairs, tables.cells, settings, smaller)))
    if known.is_empty():
        return undecided(blank, "no two ways reach an equal loss on the answers below that of the untouched model")
    trend = with_halves(in_trend(known))
    over = over_late(trend.group_by(BY).agg(pl.col("change").mean()), settings.confidence)
    each = {name: over_late(trend.filter(method=name), settings.confidence) for name in smaller}
    blank = replace(
        blank,
        details=tuple({"method": name, **numbers(one.estimate)} for name, one in each.items() if one.estimate),
    )
    question = Question(LATE, settings.smallest_loss, lambda mean: sentence(mean, each, settings))
    return decided_by(over, trend, question, blank, settings, covers=covers(trend, over))


CLAIM = Claim(
    id="smaller-forgets-less",
    text="A way of tuning that trains fewer numbers forgets less than full tuning at an equal gain.",
    source="after Biderman et al., arXiv 2405.09673 (LoRA learns less and forgets less)",
    unit="nats a token of pre-training text: plain tuning minus the smaller way, at an equal loss on the answers",
    figure="pareto",
    needs=(has_cells, has_tuned_text, has_smaller_methods),
    judge=judge,
)


def covers(late: pl.DataFrame, over: Over) -> str:
    """Say in words what the interval covers."""
    n_runs, n_datasets = late["series"].n_unique(), late["dataset"].n_unique()
    said = covers_checkpoints(over, n_runs, f"{late['seed'].n_unique()} tuning seeds")
    return f"{n_datasets} datasets, {said}" if n_datasets >= MANY_DATASETS else f"{said}, and so are the datasets"


def sentence(mean: Estimate, each: dict[str, Over], settings: Settings) -> str:
    """Say what smaller ways keep on average, and what each does."""
    said = [f"{name} {shown(one.estimate)}" for name, one in each.items() if one.estimate]
    return (
        f"At an equal loss on the answers, over the later half of the checkpoints, smaller ways lose less on text than "
        f"{settings.method} by {shown(mean)} nats a token (less than 0: more). By way: {listed(said)}."
    )


def caveats(pairs: pl.DataFrame, cells: pl.DataFrame, settings: Settings, smaller: Sequence[str]) -> list[str]:
    """List caveats: cells that cannot be matched, rates that were not searched, ways that did not learn enough."""
    notes = []
    lost = pairs.filter(pl.col("change").is_null()).height
    if lost:
        notes.append(
            f"{lost} of {pairs.height} pairs are left out: one of the two never gets below the untouched model."
        )
    named = cells.filter(pl.col("method").is_in([settings.method, *smaller])).group_by("method")
    rates = named.agg(n=pl.col("learning_rate").n_unique()).filter(pl.col("n") < FEW_RATES)
    few = rates["method"].sort().to_list()
    if few:
        notes.append(f"One rate only ({listed(few)}): the way from the untouched model is taken for a straight line.")
    if pairs["dataset"].n_unique() < MANY_DATASETS:
        notes.append("Fewer than three datasets, which are taken as they are.")
    return notes
