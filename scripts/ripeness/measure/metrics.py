"""Score predictions: item by item, then as measurements with a standard error over items.

What is NaN or infinite is no score: an item with it has none, and with one such item a measurement is null as a whole,
with the reason, since over the other items it would be another measurement.
"""

import math
from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

from rouge_score.rouge_scorer import RougeScorer

from ripeness.measure.words import AnyWords
from ripeness.runtime.errors import UserError
from ripeness.stats.finite import lost_items, with_reason
from ripeness.stats.ratios import ratio_with_error
from ripeness.study.equal_options import chance, composed, plain, right_places, says

# As Hugging Face's `evaluate` computes ROUGE by default, no stemming; by `rouge_words` of the task.
ROUGE = {
    "english": RougeScorer(["rougeL"], use_stemmer=False),
    "any": RougeScorer(["rougeL"], use_stemmer=False, tokenizer=AnyWords()),
}

# accuracy by each way to make log-likelihoods of options comparable -> its column; names of ways as in OLMES
# (arXiv 2406.08446), and "none"
IS_CORRECT = {
    "none": "is_correct_raw",
    "character": "is_correct_char",
    "byte": "is_correct_byte",
    "token": "is_correct_token",
    "pmi": "is_correct_pmi",
}
Values = list[float | None]


def score_choice(row: dict[str, Any], *, normalisation: str = "none") -> dict[str, Any]:
    """Is the best option the right one, or one that says the same: by the normalisation of the task, and by every one
    that can be had; ties between options that say different things go to the first."""
    row = with_reason(row)
    found, gold = normalised(row), row["gold"]
    if normalisation not in found:
        raise UserError(
            f"item {row.get('item')!r} has no log-likelihoods by {normalisation!r}; it has {', '.join(found)}\n"
            "hint: `pmi` needs a probe with the key `unconditional`; predict again"
        )
    logps, groups, options = row["logps"], says(row), bare(row["choices"])
    best = {name: all_best(values) for name, values in found.items()}
    chosen, right = best[normalisation], set(right_places(row))
    others = [logp for place, logp in enumerate(logps) if place not in right]
    is_known, reason = None not in logps, row["reason"]
    if is_known and not others:
        reason = reason or "all options say the same, so that the right one leads over none"
    return {
        "gold": options[gold],
        "prediction": options[chosen[0]] if chosen else None,
        "is_correct": chosen[0] in right if chosen else None,
        **{column: best[name][0] in right if best.get(name) else None for name, column in IS_CORRECT.items()},
        "is_tie": len({groups[place] for place in chosen}) > 1 if chosen else None,
        "logp_gold": logps[gold],
        "margin": max(logps[place] for place in right) - max(others) if is_known and others else None,
        "nll": None if logps[gold] is None else -logps[gold],
        "n_tokens": (row.get("n_option_tokens") or {gold: None})[gold],
        "reason": reason,
    }


def normalised(row: dict[str, Any]) -> dict[str, Values]:
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
    found |= {name: [x and x / n for x, n in zip(logps, ns, strict=True)] for name, ns in lengths.items() if ns}
    if alone := row.get("logps_unconditional"):
        found["pmi"] = [None if None in pair else pair[0] - pair[1] for pair in zip(logps, alone, strict=True)]
    return found


def bare(options: list[str]) -> list[str]:
    """Options without the space before them."""
    return [option.removeprefix(" ") for option in options]


def all_best(values: Values) -> list[int]:
    """Places of the largest value, the first of equals first; none where a value is missing."""
    return [] if None in values else [place for place, value in enumerate(values) if value == max(values)]


def score_generation(row: dict[str, Any], *, words: str = "english") -> dict[str, Any]:
    """ROUGE-L F1 (0 to 1, by rouge-score) and exact match of the generated text, with the nearest right answer.

    `words` says what ROUGE-L compares: those of rouge-score's own tokenizer, or of any script. Texts match if they are
    equal in Unicode's composed form.
    """
    row = with_reason(row)
    references, text = [reference.strip() for reference in row.get("references") or [row["target"]]], row["text"]
    is_known = text is not None
    return {
        "gold": row["target"].strip(),
        "prediction": text,
        "text": text,
        "rouge_l": max(ROUGE[words].score(one, text)["rougeL"].fmeasure for one in references) if is_known else None,
        "exact_match": composed(text) in map(composed, references) if is_known else None,
        "nll": row.get("nll"),
        "n_tokens": row.get("n_tokens"),
        "reason": row["reason"] if is_known else row["reason"] or "no text that was written from finite logits",
    }


def score_text(row: dict[str, Any]) -> dict[str, Any]:
    """Running text is scored as a whole; its rows carry what the ratio needs."""
    return {key: with_reason(row)[key] for key in ("nll", "n_tokens", "n_bytes", "reason")}


def score_harness(row: dict[str, Any]) -> dict[str, Any]:
    """The harness has scored already."""
    return {key: with_reason(row)[key] for key in ("harness", "reason")}


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
    """The measurements of one probe from its scored items.

    Where some of its items have no number the `value` is null, with the `reason`.
    """
    rows = measure_means(kind, items, predictions)
    for metric, (above, below, factor) in RATIOS[kind].items():
        known = [item for item in items if item[below]]  # an answer may have no tokens, or not fit
        if lost := [item["reason"] for item in known if item[above] is None]:
            rows.append(null_row(metric, lost, len(known)))
        elif known:
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
    blind = sum(map(chance, predictions)) / len(predictions)
    answers = Counter(
        chain.from_iterable({plain(p["choices"][place]) for place in right_places(p)} for p in predictions)
    )
    return {"chance": blind, "majority": max(blind, max(answers.values()) / len(predictions))}


def measure_means(kind: str, items: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every metric that is a mean over items, with its error; those that cannot be had of all items are left out."""
    rows, clusters = [], [item["cluster"] for item in items]
    for metric, column in MEANS[kind].items():
        lost = [item["reason"] for item in items if item[column] is None]
        if lost and kind == "choice" and not can_be_had(column, predictions):
            continue
        if lost:
            rows.append(null_row(metric, lost, len(items)))
            continue
        value, se = ratio_with_error([float(item[column]) for item in items], [1.0] * len(items), clusters)
        rows.append({"metric": metric, "value": value, "se": se})
    return rows


def can_be_had(column: str, predictions: list[dict[str, Any]]) -> bool:
    """Whether the predictions hold what a column of choices is made of, be it a number or not."""
    way = next((name for name, other in IS_CORRECT.items() if other == column), "none")
    return all(way in normalised(prediction) for prediction in predictions)


def null_row(metric: str, reasons: list[str | None], n_items: int) -> dict[str, Any]:
    """A measurement of which some items have no number."""
    reason = lost_items(reasons, n_items=n_items)
    return {"metric": metric, "value": None, "se": None, "n_items": n_items, "reason": reason}


def whole_or_none(kind: str, items: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items whose scores are null wherever the measurement is, so that no mean is taken over fewer of them."""
    columns = MEANS[kind]
    lost = {columns[row["metric"]]: row["reason"] for row in rows if row["value"] is None and row["metric"] in columns}
    if not lost:
        return items
    why = f"its measurement is null: {next(iter(lost.values()))}"
    return [item | dict.fromkeys(lost) | {"reason": item["reason"] or why} for item in items]


def measure_harness(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every metric of a task of lm-eval by its name there: a mean with its error, or the one value of the task."""
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
