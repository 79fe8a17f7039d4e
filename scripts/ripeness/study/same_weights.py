"""Find checkpoints that have the same weights, or share some of them.

Weights are known in one of three ways, and only what is known in the same way is compared: `files`, the sha256 that the
hub lists of each; `tensors`, the digests of fingerprints.py; `recipe`, what a pre-training here makes them of. A record
is {kind, parts, rest}: two are the same when they have the same parts, and the one's rest is within the other's. Of
`tensors` one may have further parts, which a model that loads them leaves out.

A record of `tensors` also has `rounded`: digests of a sample of its numbers as they are (F32) and rounded (BF16, F16,
one after the other). If a sample of one checkpoint, rounded, is that of another as it is, the other is a rounded copy,
and so the same. `numbers` is a digest of the numbers of all matrices in any order: who has the same saved them in other
matrices, such as transposed or joined ones, or with rows of zeros.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

Record = Mapping[str, Any]
NOUNS = {"files": "files of weights", "tensors": "matrices", "recipe": "recipes"}


@dataclass(frozen=True)
class Alike:
    """Owners that have the same weights, with a digest of them, or that share `n_shared` of at most `n_parts` parts."""

    owners: tuple[Any, ...]
    kind: str
    digest: str
    n_shared: int
    n_parts: int
    is_rounded: bool = False  # whether some are copies of others that were saved with fewer digits


def same(records: Mapping[Any, Record]) -> list[Alike]:
    """Return the groups of two or more owners whose weights are the same, in the order of their first members."""
    return [
        Alike(
            owners=tuple(owners),
            kind=records[owners[0]]["kind"],
            digest=short(records[owners[0]]),
            n_shared=0,
            n_parts=0,
            is_rounded=any(are_rounded(records[one], records[other]) for one, other in combinations(owners, 2)),
        )
        for owners in groups(records)
        if len(owners) > 1
    ]


def are_rounded(one: Record, other: Record) -> bool:
    """Tell whether two records of the same weights have other numbers, as a rounded copy has."""
    ours, theirs = set(one["parts"]), set(other["parts"])
    are_equal = ours <= theirs or theirs <= ours or one.get("numbers", "?") == other.get("numbers")
    return not are_equal


def groups(records: Mapping[Any, Record]) -> list[list[Any]]:
    """Group owners by their weights, in the order of the first members."""
    found: dict[Hashable, list[list[Any]]] = {}
    for owner, record in records.items():
        if not (record["parts"] or record["rest"]):
            continue
        # where there are no parts at all, the rest must be equal and not only within
        key = (record["kind"], frozenset(record["parts"]) or tuple(sorted(record["rest"])))
        alike = found.setdefault(key, [])
        for group in alike:
            if is_within(records[group[0]], record):
                group.append(owner)
                break
        else:
            alike.append([owner])
    place = {owner: number for number, owner in enumerate(records)}
    exact = sorted((group for alike in found.values() for group in alike), key=lambda group: place[group[0]])
    alike_groups = with_rounded(with_other_matrices(with_more(exact, records), records), records)
    return sorted((sorted(group, key=place.__getitem__) for group in alike_groups), key=lambda group: place[group[0]])


def with_rounded(found: list[list[Any]], records: Mapping[Any, Record]) -> list[list[Any]]:
    """Join groups of equal weights of which one is a rounded copy of another."""
    samples = [records[group[0]].get("rounded", {}) for group in found]
    copies: dict[frozenset[str], list[int]] = {}
    for number, sample in enumerate(samples):
        if sample and (parts := frozenset(sample["F32"]["parts"])):
            copies.setdefault(parts, []).append(number)
    pairs = [
        (copy, number)
        for number, sample in enumerate(samples)
        for form in sample
        if sample[form]["parts"] != sample["F32"]["parts"]  # else it is rounded itself
        for copy in copies.get(frozenset(sample[form]["parts"]), [])
        if has_rest_of(records[found[copy][0]], records[found[number][0]], form)
    ]
    return joined(found, pairs)


def with_other_matrices(found: list[list[Any]], records: Mapping[Any, Record]) -> list[list[Any]]:
    """Join groups whose matrices together have the same numbers, in whatever order and between whatever zeros."""
    holders: dict[str, list[int]] = {}
    for number, group in enumerate(found):
        if numbers := records[group[0]].get("numbers"):
            holders.setdefault(numbers, []).append(number)
    pairs = [
        (one, other)
        for numbers in holders.values()
        for one, other in combinations(numbers, 2)
        if is_within(records[found[one][0]], records[found[other][0]])
    ]
    return joined(found, pairs)


def with_more(found: list[list[Any]], records: Mapping[Any, Record]) -> list[list[Any]]:
    """Join groups of equal weights of which one has all matrices of another, and further ones that no model reads."""
    first = [records[group[0]] for group in found]
    parts = [frozenset(record["parts"]) if record["kind"] == "tensors" else frozenset() for record in first]
    pairs = [
        (few, many)
        for few, many in permutations(range(len(found)), 2)
        if parts[few] and parts[few] < parts[many] and is_within(first[few], first[many])
    ]
    return joined(found, pairs)


def joined(found: list[list[Any]], pairs: Iterable[tuple[int, int]]) -> list[list[Any]]:
    """Join the groups that are paired by number."""
    which = list(range(len(found)))  # the number of a group that each one belongs to
    for one, other in pairs:
        which = [which[other] if number == which[one] else number for number in which]
    return [
        [owner for number, group in zip(which, found, strict=True) if number == kept for owner in group]
        for kept in dict.fromkeys(which)
    ]


def has_rest_of(copy: Record, original: Record, form: str) -> bool:
    """Tell whether a rounded copy also has the vectors of its original, rounded or as they were."""
    return is_within(copy["rounded"][form], original["rounded"][form]) or is_within(copy, original)


def is_within(one: Record, other: Record) -> bool:
    """Tell whether the rest of one of two records is within that of the other, which also has buffers."""
    ours: Counter[str] = Counter(one["rest"])
    theirs: Counter[str] = Counter(other["rest"])
    return ours <= theirs or theirs <= ours


def partly(records: Mapping[Any, Record]) -> list[Alike]:
    """Group owners that share parts without being the same: one entry for all that share the same parts."""
    holders: dict[tuple[str, str], list[list[Any]]] = {}
    for group in groups(records):
        for kind, part in {(records[owner]["kind"], part): None for owner in group for part in records[owner]["parts"]}:
            holders.setdefault((kind, part), []).append(group)
    shared: dict[tuple[Any, ...], list[str]] = {}
    for (_, part), several in holders.items():
        if len(several) > 1:
            shared.setdefault(tuple(owner for group in several for owner in group), []).append(part)
    return [
        Alike(owners, records[owners[0]]["kind"], parts[0][:12], len(parts), max(n_parts(records, owners)))
        for owners, parts in shared.items()
    ]


def n_parts(records: Mapping[Any, Record], owners: Iterable[Any]) -> list[int]:
    """Count the parts of each of these owners."""
    return [len(records[owner]["parts"]) for owner in owners]


def short(record: Record) -> str:
    """Return the beginning of a digest of the weights, for people: that of the first part."""
    return sorted(record["parts"] or record["rest"])[0][:12]


def same_words(alike: Alike) -> str:
    """Say that weights are the same: the same weights (0123abcd), some of them rounded."""
    return f"the same weights ({alike.digest}){', some of them rounded' if alike.is_rounded else ''}"


def shared_words(alike: Alike) -> str:
    """Say what is shared: 1 of 3 files of weights."""
    return f"{alike.n_shared} of {alike.n_parts} {NOUNS[alike.kind]}"
