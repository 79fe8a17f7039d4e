"""The sentence on what is learned in pre-training, of scores with items and without."""

from collections.abc import Iterable, Mapping

from ripeness.findings.finding import listed
from ripeness.runtime.wording import human
from ripeness.tables.single_numbers import as_number

GROUPED_BY_GAP = "Datasets are grouped by the scores that the gap compares, which makes the gap a little too large."


def n_datasets(rows: list[dict]) -> int:
    """Count the datasets, each of which may have a row for each of several series."""
    return len({row["dataset"] for row in rows})


def kind_lacking(kinds: Iterable[str]) -> str:
    """Say that a kind has no dataset, which does not show that there is none anywhere; empty if both have one."""
    named = {"learned": "learned", "never": "never learned"}
    lacking = [words for kind, words in named.items() if kind not in kinds]
    return f"no dataset is shown to be {' or '.join(lacking)}" if lacking else ""


def sentence_on_learning(rows: list[dict], names: dict[str, list[str]]) -> str:
    """Say how many datasets are learned, with their scores against the floors."""
    kinds = {
        "learned": "learned in pre-training",
        "never": "never learned",
        "high from the start": "above the floor from the first checkpoint on",
        "unclear": "unclear",
    }
    parts = []
    for kind, words in kinds.items():
        found = [row for row in rows if row["class"] == kind]
        scored = [
            f"{name} {row['late']:.2f} against {row['floor']:.2f}{first_seen(row)}"
            for name, row in zip(names.get(kind, []), found, strict=True)
        ]
        if found or kind in ("learned", "never"):
            verb = "is" if len(found) == 1 else "are"
            parts.append(f"{len(found)} {verb} {words}" + (f" ({listed(scored)})" if found else ""))
    n = n_datasets(rows)
    several = f"{n} dataset{'' if n == 1 else 's'}"
    of = several if len(rows) == n else f"{len(rows)} trajectories of {several}"
    head = f"Of {of} (score of the later untouched checkpoints against the floor, which needs no skill) "
    return f"{head}{listed(parts)}."


def first_seen(row: Mapping[str, object]) -> str:
    """Say where the first checkpoint of a dataset that is high from the start is; empty for other datasets."""
    tokens = row["first_tokens"]
    if row["class"] != "high from the start" or tokens is None:
        return ""
    return f", first measured at {human(int(as_number(tokens)))} tokens"
