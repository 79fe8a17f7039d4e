"""Score predictions: item by item, then as measurements with a standard error over items."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from rouge_score.rouge_scorer import RougeScorer

from ripeness.errors import UserError
from ripeness.ratios import ratio_with_error

# As Hugging Face's `evaluate` computes ROUGE by default: no stemming.
ROUGE = RougeScorer(["rougeL"], use_stemmer=False)


# accuracy by each way to make log-likelihoods of options comparable -> its column; names of ways as in OLMES
# (arXiv 2406.08446), and "none"
IS_CORRECT = {
    "none": "is_correct_raw",
    "character": "is_correct_char",
    "byte": "is_correct_byte",
    "token": "is_correct_token",
    "pmi": "is_correct_pmi",
}


def score_choice(row: dict[str, Any], *, normalisation: str = "none") -> dict[str, Any]:
    """Is the best option the right one: by the normalisation of the task, and by every one that can be had; ties go to
    the first option."""
    found, gold = normalised(row), row["gold"]
    if normalisation not in found:
        raise UserError(
            f"item {row.get('item')!r} has no log-likelihoods by {normalisation!r}; it has {', '.join(found)}\n"
            "hint: `pmi` needs a probe with the key `unconditional`; predict again"
        )
    logps, chosen = row["logps"], found[normalisation]
    options = bare(row["choices"])
    others = [logp for index, logp in enumerate(logps) if index != gold]
    return {
        "gold": options[gold],
        "prediction": options[first_best(chosen)],
        "is_correct": first_best(chosen) == gold,
        **{column: first_best(found[name]) == gold if name in found else None for name, column in IS_CORRECT.items()},
        "is_tie": chosen.count(max(chosen)) > 1,
        "logp_gold": logps[gold],
        "margin": logps[gold] - max(others),
        "nll": -logps[gold],
        "n_tokens": (row.get("n_option_tokens") or {gold: None})[gold],
    }


def normalised(row: dict[str, Any]) -> dict[str, list[float]]:
    """Log-likelihoods of the options by every normalisation that their row allows.

    As they are; per character and per byte as lm-eval's acc_norm and acc_bytes, without the space before the option;
    per token; less the log-likelihood after an unconditional prompt, which is pointwise mutual information.
    """
    logps, options = row["logps"], bare(row["choices"])
    lengths = {
        "character": [len(option) for option in options],
        "byte": [len(option.encode()) for option in options],
        "token": row.get("n_option_tokens"),
    }
    found = {"none": logps}
    found |= {name: [x / n for x, n in zip(logps, ns, strict=True)] for name, ns in lengths.items() if ns}
    if row.get("logps_unconditional"):
        found["pmi"] = [x - alone for x, alone in zip(logps, row["logps_unconditional"], strict=True)]
    return found


def bare(options: list[str]) -> list[str]:
    """Options without the space before them."""
    return [option.removeprefix(" ") for option in options]


def first_best(values: list[float]) -> int:
    """Index of the largest value, the first of equals."""
    return values.index(max(values))


def score_generation(row: dict[str, Any]) -> dict[str, Any]:
    """ROUGE-L F1 (0 to 1, by rouge-score) and exact match of the generated text, with the nearest right answer."""
    references = [reference.strip() for reference in row.get("references") or [row["target"]]]
    return {
        "gold": row["target"].strip(),
        "prediction": row["text"],
        "text": row["text"],
        "rouge_l": max(ROUGE.score(reference, row["text"])["rougeL"].fmeasure for reference in references),
        "exact_match": row["text"] in references,
        "nll": row.get("nll"),
        "n_tokens": row.get("n_tokens"),
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
        **{column.replace("is_correct", "accuracy"): column for column in IS_CORRECT.values()},
        "logp_gold": "logp_gold",
        "margin": "margin",
        "ties": "is_tie",
    },
    "generation": {"rouge_l": "rouge_l", "exact_match": "exact_match"},
    "text": {},
    "harness": {},
}
# metric -> sum of one column over sum of another, and the unit's factor
ANSWER = {"answer_loss": ("nll", "n_tokens", 1.0)}
RATIOS = {
    "choice": ANSWER,
    "generation": ANSWER,
    "text": {"bits_per_byte": ("nll", "n_bytes", 1 / math.log(2)), "loss": ("nll", "n_tokens", 1.0)},
    "harness": {},
}


def measure(kind: str, items: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The measurements of one probe from its scored items."""
    clusters = [item["cluster"] for item in items]
    rows = []
    for metric, column in MEANS[kind].items():
        if any(item[column] is None for item in items):  # not every normalisation can be had
            continue
        value, se = ratio_with_error([float(item[column]) for item in items], [1.0] * len(items), clusters)
        rows.append({"metric": metric, "value": value, "se": se})
    for metric, (above, below, factor) in RATIOS[kind].items():
        known = [item for item in items if item[above] is not None and item[below]]  # an answer may have no tokens
        if known:
            columns = ([item[name] for item in known] for name in (above, below, "cluster"))
            value, se = ratio_with_error(*columns)
            rows.append({"metric": metric, "value": value * factor, "se": se and se * factor, "n_items": len(known)})
    if kind == "harness":
        rows += measure_harness(items)
    reference = {"chance": None, "majority": None}
    if kind == "choice":
        reference = floors_of(predictions)
    return [
        {"n_items": len(items), "n_seeds": 1, "source": predictions[0].get("source") or "measured", **row}
        | (reference if kind == "choice" and row["metric"].startswith("accuracy") else {})
        for row in rows
    ]


def floors_of(predictions: list[dict[str, Any]]) -> dict[str, float]:
    """Accuracies that need no skill: of a blind choice, and of always giving the commonest right answer.

    An answer is its text: a label, a letter, an option of an item's own. At which place an option stands no model sees,
    so that where every item has options of its own none is more than chance.
    """
    chance = sum(1 / len(p["choices"]) for p in predictions) / len(predictions)
    answers = Counter(bare(p["choices"])[p["gold"]] for p in predictions)
    return {"chance": chance, "majority": max(chance, max(answers.values()) / len(predictions))}


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
