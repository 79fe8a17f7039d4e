"""Read indicators and tuned scores of a study's own models, on halves of the items."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from ripeness.findings.finding import Settings
from ripeness.findings.indicators.common import LESS, curvature, of_checkpoints, of_plan, perturbed, text_loss
from ripeness.findings.indicators.halves import MARGINS, N_HALVINGS, NLLS, READ, SCORES, halved
from ripeness.findings.indicators.readings import ANSWER_LOSS, MARGIN, Indicator, Readings, Values
from ripeness.findings.study_tables import HALVED, TEXT_TOKENS, Tables
from ripeness.tables.columns import CELLS
from ripeness.tables.ways_of_tuning import READING, plain_way, ways_of

TRAINING = 3  # operations on a token in training, for one in a forward pass
SHORT = 1 / 3  # of the cost of the full tuning, at most
CELL = ["series", "checkpoint", "probe"]
Costs = Mapping[str, float]  # by dataset, in forward passes of a token


def read_items(tables: Tables, settings: Settings) -> Readings | None:
    """Read all indicators that a study's own tables have; None where no model was tuned."""
    models = tables.once(HALVED, lambda: halved(tables.all_items, settings))
    methods = sorted(set(models["method"]) - {"base"}) if not models.is_empty() else []
    if not methods:
        return None
    cells = tables.cells if tables.has("cells") else pl.DataFrame(schema=CELLS)
    standing = (settings.method, plain_way(cells, settings.method) or "", methods[0])
    method = next(name for name in standing if name in methods)
    own = models.filter(method=method, split="test")
    base = models.filter(method="base", split="test")
    base = base.join(own.select("probe", "format").unique(), on=["probe", "format"], how="semi")
    spent = tuning_costs(cells, method)
    short = [name for name in short_methods(cells, method) if name in methods]
    found = [
        *of_plan(own),
        text_loss(tables.reported, text_cost(tables, spent)),
        *untouched(base, spent),
        *perturbed(tables.sensitivity, spent),
        *(short_tuning(models, name, cells, spent) for name in short),
        curvature(cells, method),
    ]
    known = tuple(one for one in found if one.values)
    outcome = averaged(own, SCORES, shift=N_HALVINGS)
    return Readings(method, of_checkpoints(own), outcome, elsewhere(models, method), known, has_own_items=True)


def averaged(models: pl.DataFrame, column: str, *, shift: int = 0, sign: float = 1.0) -> Values:
    """Average the lists of a column over formats, then over seeds, by (series, checkpoint, dataset).

    A seed that lacks a format counts as not there. `shift` turns lists round, so that they are of the other halves.
    """
    n_formats = models.group_by("probe").agg(n_formats=pl.col("format").n_unique())
    rows = models.filter(pl.col(column).list.drop_nulls().list.len() == 2 * N_HALVINGS).join(n_formats, on="probe")
    rows = rows.filter(pl.len().over(*CELL, "seed") == pl.col("n_formats")).sort(*CELL, "seed", "format")
    found: dict[tuple[str, str, str | None], list[np.ndarray]] = {}
    for series, checkpoint, dataset, values in rows.select(*CELL, column).iter_rows():
        found.setdefault((series, checkpoint, dataset), []).append(np.roll(np.asarray(values, float), shift))
    return {place: sign * np.mean(values, axis=0) for place, values in found.items()}


def elsewhere(models: pl.DataFrame, method: str) -> Values:
    """Read the score of tuned models on items that their outcome is not read on: validation items, or other halves."""
    own = models.filter(method=method)
    return averaged(own.filter(split="validation"), SCORES) or averaged(own.filter(split="test"), SCORES)


def untouched(base: pl.DataFrame, spent: Costs) -> list[Indicator]:
    """Read scores at every number of shots; margin and loss on right answers at the fewest."""
    found = []
    for shots in sorted(base["shots"].unique()):
        part = base.filter(shots=shots)
        cost = share(tokens_read(part), spent)
        found.append(Indicator(f"score, {shots} shots", averaged(part, SCORES), cost=cost))
        if shots == base["shots"].min():
            found.append(Indicator(MARGIN, averaged(part, MARGINS), cost=cost))
            found.append(Indicator(ANSWER_LOSS, averaged(part, NLLS, sign=-1.0), LESS, cost))
    return found


def short_tuning(models: pl.DataFrame, method: str, cells: pl.DataFrame, spent: Costs) -> Indicator:
    """Read the score of models that were tuned shortly."""
    cost = share(tuning_costs(cells, method), spent)
    return Indicator(f"short tuning ({method})", elsewhere(models, method), cost=cost, is_short_tuning=True)


def short_methods(cells: pl.DataFrame, method: str | None = None) -> list[str]:
    """List the ways of tuning that cost a third of a method or less; of any method for None.

    Both tune the same model on answers, or on the same text. What reads a model's states does not tune it.
    """
    ways = {name: way for name, way in ways_of(cells).items() if way.kind != READING}
    costs = {name: tuning_costs(cells, name) for name in ways}
    full = list(costs) if method is None else [method] if method in costs else []
    alike = {name: [of for of in full if ways[of].task[:2] == ways[name].task[:2]] for name in ways}
    return [name for name in ways if any((share(costs[name], costs[of]) or 1.0) <= SHORT for of in alike[name])]


def tokens_read(models: pl.DataFrame) -> Costs:
    """Count the tokens that are read at a checkpoint, by dataset; mean over checkpoints."""
    sums = models.group_by(CELL).agg(pl.col(READ).sum()).group_by("probe").agg(pl.col(READ).mean())
    return {str(name): float(tokens) for name, tokens in sums.iter_rows()}


def tuning_costs(cells: pl.DataFrame, method: str) -> Costs:
    """Count what tuning costs at a checkpoint: all formats, seeds and rates that were tried; mean over checkpoints."""
    rows = cells.filter(pl.col("method") == method, pl.col("n_tokens").is_not_null())
    by = ["series", "checkpoint", "dataset"]
    sums = rows.group_by(by).agg(pl.col("n_tokens").sum()).group_by("dataset").agg(pl.col("n_tokens").mean())
    return {str(name): TRAINING * float(tokens) for name, tokens in sums.iter_rows()}


def share(cost: Costs, full: Costs) -> float | None:
    """Average a cost as a share of that of tuning over datasets; None where no dataset has both."""
    both = [cost[name] / full[name] for name in sorted(cost) if full.get(name)]
    return float(np.mean(both)) if both else None


def text_cost(tables: Tables, spent: Costs) -> float | None:
    """Give the cost of reading the running text at a checkpoint, as a share of that of tuning on a dataset."""
    is_text = pl.col("probe_kind") == "text", pl.col("method") == "base"
    tokens = pl.col("n_tokens").sum()
    counts = tables.once(
        TEXT_TOKENS, lambda: [table.filter(*is_text).select(tokens).collect().item() for table in tables.all_items]
    )
    return share(dict.fromkeys(spent, float(np.mean(counts))), spent) if any(counts) else None
