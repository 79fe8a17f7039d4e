"""Score predictions: item by item, then as measurements with a standard error over items."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from rouge_score.rouge_scorer import RougeScorer

# As Hugging Face's `evaluate` computes ROUGE by default: no stemming.
ROUGE = RougeScorer(["rougeL"], use_stemmer=False)


def score_choice(row: dict[str, Any]) -> dict[str, Any]:
    """Is the option with the highest log-likelihood the right one: raw, per character, per byte (as lm-eval's acc,
    acc_norm and acc_bytes: the space before the option does not count as length); ties go to the first option."""
    options = [choice.removeprefix(" ") for choice in row["choices"]]
    logps, gold = row["logps"], row["gold"]
    raw = first_best(logps)
    others = [logp for index, logp in enumerate(logps) if index != gold]
    return {
        "gold": options[gold],
        "prediction": options[raw],
        "is_correct": raw == gold,
        "is_correct_char": first_best([x / len(o) for x, o in zip(logps, options, strict=True)]) == gold,
        "is_correct_byte": first_best([x / len(o.encode()) for x, o in zip(logps, options, strict=True)]) == gold,
        "is_tie": logps.count(max(logps)) > 1,
        "logp_gold": logps[gold],
        "margin": logps[gold] - max(others),
    }


def first_best(values: list[float]) -> int:
    """Index of the largest value, the first of equals."""
    return values.index(max(values))


def score_generation(row: dict[str, Any]) -> dict[str, Any]:
    """ROUGE-L F1 (0 to 1, by rouge-score) and exact match of the generated text."""
    target = row["target"].strip()
    return {
        "gold": target,
        "prediction": row["text"],
        "text": row["text"],
        "rouge_l": ROUGE.score(target, row["text"])["rougeL"].fmeasure,
        "exact_match": row["text"] == target,
    }


def score_text(row: dict[str, Any]) -> dict[str, Any]:
    """Running text is scored as a whole; its rows carry what the ratio needs."""
    return {key: row[key] for key in ("nll", "n_tokens", "n_bytes")}


def score_harness(row: dict[str, Any]) -> dict[str, Any]:
    """The harness has scored already."""
    return {"harness": row["harness"]}


SCORERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "choice": score_choice,
    "generation": score_generation,
    "text": score_text,
    "harness": score_harness,
}

# metric -> column of the item rows that it is the mean of
MEANS = {
    "choice": {
        "accuracy": "is_correct",
        "accuracy_char": "is_correct_char",
        "accuracy_byte": "is_correct_byte",
        "logp_gold": "logp_gold",
        "margin": "margin",
        "ties": "is_tie",
    },
    "generation": {"rouge_l": "rouge_l", "exact_match": "exact_match"},
    "text": {},
    "harness": {},
}
# metric -> sum of one column over sum of another, and the unit's factor
RATIOS = {"bits_per_byte": ("nll", "n_bytes", 1 / math.log(2)), "loss": ("nll", "n_tokens", 1.0)}


def measure(kind: str, items: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The measurements of one probe from its scored items."""
    clusters = [item["cluster"] for item in items]
    rows = []
    for metric, column in MEANS[kind].items():
        value, se = ratio_with_error([float(item[column]) for item in items], [1.0] * len(items), clusters)
        rows.append({"metric": metric, "value": value, "se": se})
    if kind == "text":
        for metric, (above, below, factor) in RATIOS.items():
            value, se = ratio_with_error([i[above] for i in items], [i[below] for i in items], clusters)
            rows.append({"metric": metric, "value": value * factor, "se": se and se * factor})
    if kind == "harness":
        rows += measure_harness(items)
    reference = {"chance": None, "majority": None}
    if kind == "choice":
        golds = Counter(prediction["gold"] for prediction in predictions)
        reference = {
            "chance": sum(1 / len(p["choices"]) for p in predictions) / len(predictions),
            "majority": max(golds.values()) / len(predictions),
        }
    is_accuracy = {"accuracy", "accuracy_char", "accuracy_byte"}
    return [
        {"n_items": len(items), "n_seeds": 1, "source": predictions[0].get("source") or "measured", **row}
        | (reference if row["metric"] in is_accuracy else {})
        for row in rows
    ]


def measure_harness(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every metric of a task of lm-eval by its name there: a mean with its error, or the one value of the task."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for item in items:
        for entry in item["harness"]:
            found.setdefault(entry["metric"], []).append((item["cluster"], entry))
    rows = []
    for metric, entries in found.items():
        value, se = entries[0][1]["value"], None
        if entries[0][1]["is_mean"]:
            clusters = [cluster for cluster, _ in entries]
            value, se = ratio_with_error([entry["value"] for _, entry in entries], [1.0] * len(entries), clusters)
        rows.append({"metric": metric, "value": value, "se": se, "n_items": len(entries)})
    return rows


def ratio_with_error(above: list[float], below: list[float], clusters: list[str]) -> tuple[float, float | None]:
    """Sum of `above` over sum of `below`, and its standard error over clusters of items.

    The error is the linearised (sandwich) one with the factor C/(C-1) for C clusters (Miller, arXiv 2411.00640, section
    2.2); for a mean of items without clusters it is the sample standard deviation over the root of n. None for one
    cluster.
    """
    value = sum(above) / sum(below)
    residuals: dict[str, float] = {}
    for a, b, cluster in zip(above, below, clusters, strict=True):
        residuals[cluster] = residuals.get(cluster, 0.0) + a - value * b
    n = len(residuals)
    if n < 2:
        return value, None
    return value, math.sqrt(sum(r * r for r in residuals.values()) * n / (n - 1)) / sum(below)
