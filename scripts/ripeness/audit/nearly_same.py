"""Find checkpoints that may be the same weights, rounded differently, where no digest tells.

A copy in bfloat16 and one in float16 of the same weights have no digest in common, and none says of the other what it
was made from; nor has a copy whose digits were cut off and not rounded, or that was rounded twice. Their numbers differ
by no more than the steps between the numbers that each form has. That shows in the few numbers kept of each matrix
(models/fingerprints.py). Checkpoints between which hardly anything was trained may look the same, so that nothing more
can be said.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from ripeness.study.same_weights import Record, groups

# Binary digits behind the first one, and the smallest step between two numbers.
FORMS = {"F32": (23, 2.0**-149), "BF16": (7, 2.0**-133), "F16": (10, 2.0**-24)}
NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}

Pair = tuple[Any, Any, str, str]  # two owners, and the forms that their numbers have


def nearly_same(records: Mapping[Any, Record]) -> Iterator[Pair]:
    """Find pairs of which no digest says that they are the same, but whose numbers may be roundings of the same."""
    known = [group[0] for group in groups(records) if records[group[0]].get("kept")]
    for one, other in combinations(known, 2):
        form, other_form = form_of(records[one]), form_of(records[other])
        if may_be_same(numbers_of(records[one]), numbers_of(records[other]), form, other_form):
            yield one, other, NAMES[form], NAMES[other_form]


def form_of(record: Record) -> str:
    """Return the form with the fewest digits that has all sampled numbers of some weights."""
    sample = record["rounded"]
    return next((form for form in ("BF16", "F16") if sample[form]["parts"] == sample["F32"]["parts"]), "F32")


def numbers_of(record: Record) -> dict[str, np.ndarray]:
    """Return the kept numbers of all matrices of each shape: (matrices, numbers), float64."""
    found: dict[str, list[np.ndarray]] = {}
    for entry in record["kept"]:
        shape, digits = entry.split()
        found.setdefault(shape, []).append(np.frombuffer(bytes.fromhex(digits), "<f4").astype(np.float64))
    return {shape: np.stack(rows) for shape, rows in found.items()}


def may_be_same(ours: dict[str, Any], theirs: dict[str, Any], form: str, other_form: str) -> bool:
    """Return whether each matrix has one in the other weights that differs by no more than the steps of both forms."""
    if form == other_form == "F32" or {shape: len(rows) for shape, rows in ours.items()} != {
        shape: len(rows) for shape, rows in theirs.items()
    }:
        return False
    return all(has_match(rows, theirs[shape], form, other_form) for shape, rows in ours.items())


def has_match(ours: np.ndarray, theirs: np.ndarray, form: str, other_form: str) -> bool:
    """Return whether for each row of numbers there is one that may be the same before rounding."""
    larger = np.maximum(np.abs(ours)[:, None], np.abs(theirs)[None])  # (our matrices, their matrices, numbers)
    is_near = (np.abs(ours[:, None] - theirs[None]) <= step(larger, form) + step(larger, other_form)).all(-1)
    return bool(is_near.any(1).all())


def step(numbers: np.ndarray, form: str) -> np.ndarray:
    """Return the step from numbers to their neighbours in a form; 0 for float32, which is what weights are made in."""
    if form == "F32":
        return np.zeros_like(numbers)
    n_digits, least = FORMS[form]
    return np.maximum(np.exp2(np.floor(np.log2(np.maximum(numbers, least))) - n_digits), least)
