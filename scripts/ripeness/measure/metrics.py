"""Score predictions: item by item, then as measurements with a standard error over items.

What is NaN or infinite is no score: an item with it has none, and with one such item a measurement is null as a whole,
with the reason, since over the other items it would be another measurement.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

from ripeness.stats.finite import lost_items, with_reason
from ripeness.stats.ratios import ratio_with_error
from ripeness.study.equal_options import chance, plain, right_places
from ripeness.study.scoring.answers import Choice, Text, normalised, without_space
from ripeness.study.scoring.metrics import BY_NAME, Metric, metrics_of

Row = dict[str, Any]


def score_choice(row: Row, *, normalisation: str = "none", kind: str = "choice") -> Row:
    """Score a choice: is the best option right, or does it say the same as the right one? Or one of two answers.

    It is answered by the normalisation of the task, and by every other one that the row allows. Ties between options
    that say different things go to the first. UserError where the row does not allow the normalisation of the task.
    """
    row = with_reason(row)
    answer, gold, options = Choice(row, normalisation), row["gold"], without_space(row["choices"])
    logp, reason = answer.logps[gold], row["reason"]
    if None not in answer.logps and len(answer.right) == len(options):
        reason = reason or "all options say the same, so that the right one leads over none"
    return {
        "gold": options[gold],
        "prediction": options[answer.chosen[0]] if answer.chosen else None,
        **scores_of(kind, answer),
        "nll": None if logp is None else -logp,
        "n_tokens": (row.get("n_option_tokens") or {gold: None})[gold],
        "reason": reason,
    }


def score_generation(row: Row, *, words: str = "english", pattern: str | None = None) -> Row:
    """Score a generated text against the nearest right answer.

    `words` says which words ROUGE-L compares; `pattern` finds the part of a text that is compared for an exact match.
    """
    row = with_reason(row)
    answer = Text(row, words, pattern)
    is_known = answer.text is not None
    return {
        "gold": row["target"].strip(),
        "prediction": answer.text,
        "text": answer.text,
        **scores_of("generation", answer),
        "nll": row.get("nll"),
        "n_tokens": row.get("n_tokens"),
        "reason": row["reason"] if is_known else row["reason"] or "no text that was written from finite logits",
    }


def scores_of(kind: str, answer: Choice | Text) -> Row:
    """Compute every metric that is a mean over items for one answer, by its column."""
    return {metric.column: metric.of_item(answer) for metric in metrics_of(kind) if metric.column and metric.of_item}


def primary_score(item: Row, metric: str) -> float | None:
    """Read the primary metric of a scored item as a number; None for a metric that is no mean over items."""
    value = item.get(BY_NAME[metric].column or "")
    return None if value is None else float(value)


def score_text(row: dict[str, Any]) -> dict[str, Any]:
    """Copy what the ratio over all passages needs."""
    return {key: with_reason(row)[key] for key in ("nll", "n_tokens", "n_bytes", "reason")}


def score_harness(row: dict[str, Any]) -> dict[str, Any]:
    """Copy the scores of lm-eval."""
    return {key: with_reason(row)[key] for key in ("harness", "reason")}


SCORERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "choice": score_choice,
    "preference": partial(score_choice, kind="preference"),
    "generation": score_generation,
    "text": score_text,
    "harness": score_harness,
}


def measure(kind: str, items: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compute the measurements of one probe from its scored items.

    Where some of its items have no number the `value` is null, with the `reason`.
    """
    rows = measure_means(kind, items, predictions)
    for metric, (above, below, factor) in ((one.name, one.ratio) for one in metrics_of(kind) if one.ratio):
        known = [item for item in items if item[below]]  # an answer may have no tokens, or not fit
        if lost := [item["reason"] for item in known if item[above] is None]:
            rows.append(null_row(metric, lost, len(known)))
        elif known:
            columns = ([item[name] for item in known] for name in (above, below, "cluster"))
            value, se = ratio_with_error(*columns)
            rows.append({"metric": metric, "value": value * factor, "se": se and se * factor, "n_items": len(known)})
    if kind == "harness":
        rows += measure_harness(items)
    floors = floors_of(predictions) if kind in ("choice", "preference") else {}
    with_floor = {metric.name for metric in metrics_of(kind) if metric.has_floor}
    return [
        {"n_items": len(items), "n_seeds": 1, "source": predictions[0].get("source") or "measured", **row}
        | (floors if row["metric"] in with_floor else {})
        for row in rows
    ]


def floors_of(predictions: list[dict[str, Any]]) -> dict[str, float]:
    """Compute accuracies that need no skill: a blind choice, and always giving the most frequent right answer.

    An answer is its text: a label, a letter, an option of an item's own. At which place an option stands no model sees,
    so that where every item has options of its own none is more than chance.
    """
    blind = sum(map(chance, predictions)) / len(predictions)
    answers = Counter(
        chain.from_iterable({plain(p["choices"][place]) for place in right_places(p)} for p in predictions)
    )
    return {"chance": blind, "majority": max(blind, max(answers.values()) / len(predictions))}


def measure_means(kind: str, items: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compute every metric that is a mean over items, with its error; leave out those that cannot be computed."""
    rows, clusters = [], [item["cluster"] for item in items]
    for metric in metrics_of(kind):
        if metric.column is None:
            continue
        lost = [item["reason"] for item in items if item[metric.column] is None]
        if not lost:
            values = [float(item[metric.column]) for item in items]
            value, se = ratio_with_error(values, [1.0] * len(items), clusters)
            rows.append({"metric": metric.name, "value": value, "se": se})
        elif is_computable(metric, predictions):
            rows.append(null_row(metric.name, lost, len(items)))
    return rows


def is_computable(metric: Metric, predictions: list[Row]) -> bool:
    """Say whether all predictions hold what a metric is computed from, be it a finite number or not."""
    way = metric.normalisation
    return way is None or all(way in normalised(prediction) for prediction in predictions)


def null_row(metric: str, reasons: list[str | None], n_items: int) -> dict[str, Any]:
    """Make a measurement without a value, since some items have no number."""
    reason = lost_items(reasons, n_items=n_items)
    return {"metric": metric, "value": None, "se": None, "n_items": n_items, "reason": reason}


def whole_or_none(kind: str, items: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Set scores to null wherever the measurement is null, so that no mean is taken over fewer items."""
    columns = {metric.name: metric.column for metric in metrics_of(kind) if metric.column}
    lost = {columns[row["metric"]]: row["reason"] for row in rows if row["value"] is None and row["metric"] in columns}
    if not lost:
        return items
    why = f"its measurement is null: {next(iter(lost.values()))}"
    return [item | dict.fromkeys(lost) | {"reason": item["reason"] or why} for item in items]


def measure_harness(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compute every metric of a task of lm-eval by its name there: a mean with its error, or one value of the task."""
    found: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for item in items:
        for entry in item["harness"]:
            found.setdefault(entry["metric"], []).append((item, entry))
    rows = []
    for metric, entries in found.items():
        if lost := [item["reason"] for item, entry in entries if entry["value"] is None]:
            rows.append(null_row(metric, lost, len(entries)))
            continue
        value, se = entries[0][1]["value"], None
        if entries[0][1]["is_mean"]:
            clusters = [item["cluster"] for item, _ in entries]
            value, se = ratio_with_error([entry["value"] for _, entry in entries], [1.0] * len(entries), clusters)
        rows.append({"metric": metric, "value": value, "se": se, "n_items": len(entries)})
    return rows
