"""The check of what checkpoints are: whether weights that are said to be different are (see audit.py).

Published series hold wrong weights: of pythia-2.8b 86 of 154 branches (EleutherAI/pythia issue 205), of OLMo-2-7B three
(allenai/OLMo issue 915), of pythia-12b single files (EleutherAI/pythia issue 206).
"""

from collections.abc import Hashable, Iterator
from typing import Any

from ripeness.audit.nearly_same import nearly_same
from ripeness.study.audit_checks import Remark, remark
from ripeness.study.same_weights import Alike, partly, same, same_words, shared_words

CHECK = "same-weights"
MOST_NAMES = 8

Owner = tuple[str, str]  # series, checkpoint


def same_weights(plan: dict[str, Any]) -> Iterator[Remark]:
    """Find checkpoints with the same weights, in one series or in several, and those that share some of them."""
    weights, labels = plan.get("weights", {}), labels_of(plan)
    known = {
        (series, name): weights.get(series, {}).get("checkpoints", {}).get(name) for series, name in labels
    }  # in the study's order
    records: dict[Hashable, Any] = {owner: record for owner, record in known.items() if record}
    equal = same(records)
    for alike in equal:
        yield from within_series(alike, weights)
    yield from across_series(equal, labels)
    for alike in partly(records):
        if len({labels[owner] for owner in alike.owners}) > 1:
            where = ", ".join(dict.fromkeys(series for series, _ in alike.owners))
            seen = f"{listed(alike.owners)} share {shared_words(alike)}, and are not the same"
            yield remark(CHECK, where, seen, severity="warning")
    yield from rounded_differently(records)


def rounded_differently(records: dict[Hashable, Any]) -> Iterator[Remark]:
    """Remark on checkpoints that may be the same weights, rounded in two ways."""
    for one, other, form, other_form in nearly_same(records):
        where = ", ".join(dict.fromkeys([one[0], other[0]]))
        seen = (
            f"{listed([one, other])} may be the same weights: the numbers that were compared, of {form} and of "
            f"{other_form}, differ by no more than rounding explains"
        )
        yield remark(CHECK, where, seen, severity="warning")


def labels_of(plan: dict[str, Any]) -> dict[Owner, tuple[Any, ...]]:
    """Describe each checkpoint by its pre-training seed and tokens (or step, where tokens are unknown)."""
    found = {}
    for series, settings in plan["series"].items():
        seed = plan.get("weights", {}).get(series, {}).get("seed")
        for point in settings["checkpoints"]:
            place = ("tokens", point["tokens"]) if point.get("tokens") is not None else ("step", point.get("step"))
            found[series, point["checkpoint"]] = (seed, *place)
    return found


def within_series(alike: Alike, weights: dict[str, Any]) -> Iterator[Remark]:
    """Remark on each series in which several checkpoints have the same weights."""
    for series in dict.fromkeys(series for series, _ in alike.owners):
        names = [name for owner, name in alike.owners if owner == series]
        if len(names) > 1:
            known = [fact["source"] for fact in weights[series].get("known", []) if set(names) <= set(fact["names"])]
            source = f"; known: {known[0]}" if known else ""
            seen = f"{listed([(series, name) for name in names], plain=True)} have {same_words(alike)}"
            yield remark(CHECK, series, seen + source)


def across_series(equal: list[Alike], labels: dict[Owner, tuple[Any, ...]]) -> Iterator[Remark]:
    """Remark on series that share weights; fatal where their descriptions contradict each other.

    Runs that share a seed start from the same weights, which is as it should be.
    """
    twice: dict[tuple[str, ...], list[Owner]] = {}
    for alike in equal:
        first = {series: (series, name) for series, name in reversed(alike.owners)}
        owners = [owner for owner in alike.owners if first[owner[0]] == owner]
        said = list(dict.fromkeys(labels[owner] for owner in owners))
        if len(owners) > 1 and len(said) > 1:
            told = " and ".join(label_words(label) for label in said)
            seen = f"{listed(owners)} have {same_words(alike)}, but are described as {told}"
            yield remark(CHECK, ", ".join(series for series, _ in owners), seen)
        elif len(owners) > 1 and said[0][2] != 0:
            twice.setdefault(tuple(series for series, _ in owners), []).append(owners[0])
    for several, owners in twice.items():
        names = listed([(several[0], name) for _, name in owners], plain=True)
        seen = f"{names} of {several[0]} have the weights of those in {' and '.join(several[1:])}: one run counts twice"
        yield remark(CHECK, ", ".join(several), seen, severity="warning")


def label_words(label: tuple[Any, ...]) -> str:
    """Write the description of a checkpoint in words: seed 1 at 512 tokens."""
    seed, unit, number = label
    place = "an unknown step" if number is None else f"{number:,} tokens" if unit == "tokens" else f"step {number}"
    return f"seed {seed} at {place}"


def listed(owners: Any, *, plain: bool = False) -> str:
    """Name checkpoints, with their series where there are several; not all of very many."""
    owners = list(owners)
    is_plain = plain or len({series for series, _ in owners}) == 1
    names = [name if is_plain else f"{name} of {series}" for series, name in owners]
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
