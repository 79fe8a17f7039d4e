"""Find predictions that cannot be scored, before anything is: edited by hand, or damaged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, shortened
from ripeness.runtime.made_here import damaged
from ripeness.storage.parquet import check_columns, read_table
from ripeness.study.schema import hint
from ripeness.study.scoring.answers import without_space
from ripeness.study.scoring.metrics import NORMALISATIONS
from ripeness.study.scoring.rouge import SCORERS
from ripeness.study.user_patterns import check_group
from ripeness.tables.columns import PREDICTIONS, PROBE, conform

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

FIX = "fix the row, or delete the file; the next run makes it again"
IDENTITY = {"study": str, "dataset": str, "format": str, "method": str, "seed": int}  # of a cell, as `cell` has it
METHOD = {  # of a cell that was tuned
    "kind": str,
    "learns": str,
    "start": str,
    "start_dataset": str,
    "rewarded_by": str,
    "examples": int,
    "doses_of": str,
}
RECORD = ("status", "losses", "n_examples", "n_tokens", "n_truncated", "precision")  # of a training
OF_OPTIONS = ("logps", "logps_unconditional", "n_option_tokens", "same_text", "same_tokens")  # a value an option


def read_predictions(path: Path) -> list[dict[str, Any]]:
    """Read a file of predictions; UserError names a row, or a column, that cannot be scored."""
    check_columns(path, PREDICTIONS, may_lack=True)
    rows = conform(read_table(path), PREDICTIONS).to_dicts()
    seen: set[tuple[Any, ...]] = set()
    last: tuple[Any, ...] | None = None
    for number, row in enumerate(rows, 1):
        probe = tuple(row[name] for name in PROBE)
        found = next(faults(row), None)
        if found is None and probe != last and (*probe, None) in seen:
            found = f"the rows of the probe {row['probe']!r} are not consecutive"
        if found is None and (*probe, row["item"]) in seen:
            found = f"the item {row['item']!r} of the probe {row['probe']!r} is duplicated"
        if found is not None:
            raise UserError(f"{path}: row {number}, item {row['item']!r}: {found}\nhint: {FIX}")
        last = probe
        seen |= {(*probe, None), (*probe, row["item"])}
    return rows


def faults(row: dict[str, Any]) -> Iterator[str]:
    """List what is wrong with a prediction, in words."""
    for name in ("item", "cluster", "probe", "probe_kind", "probe_format", "shots", "n_dropped_shots"):
        if row[name] is None:
            yield f"{name} is null"
    if row["probe_kind"] not in FAULTS:
        yield f"probe_kind is {row['probe_kind']!r}, not one of {', '.join(FAULTS)}"
    yield from FAULTS[row["probe_kind"]](row)
    yield from below(row, 0, "shots", "n_dropped_shots", "n_prompt_tokens", "n_tokens", "n_bytes")


def choice_faults(row: dict[str, Any]) -> Iterator[str]:
    """List what is wrong with the options and their numbers."""
    options, gold = row["choices"], row["gold"]
    if not options or None in options or not all(without_space(options)):
        yield f"choices is {shortened(options)}, where each is a text that is not empty"
    if gold is None or not 0 <= gold < len(options):
        yield f"gold is {shortened(gold)}, not the place of one of {len(options)} choices, from 0"
    for name in OF_OPTIONS:
        values = row[name]
        if len(values or []) != len(options) and (values or name == "logps"):
            yield f"{name} has {len(values or [])} values for {len(options)} choices"
    if any(n is None or n < 1 for n in row["n_option_tokens"] or []):
        yield f"n_option_tokens is {shortened(row['n_option_tokens'])}, where each is 1 or more"
    for name in ("same_text", "same_tokens"):
        if any(first is None or not 0 <= first <= place for place, first in enumerate(row[name] or [])):
            yield f"{name} is {shortened(row[name])}, where each is the place of the first option that is the same"


def generation_faults(row: dict[str, Any]) -> Iterator[str]:
    """List what is wrong with right answers."""
    if row["target"] is None:
        yield "target is null"
    if None in (row["references"] or []):
        yield "one of the references is null"


def text_faults(row: dict[str, Any]) -> Iterator[str]:
    """List what is wrong with the size of a passage."""
    for name in ("n_tokens", "n_bytes"):
        if row[name] is None:
            yield f"{name} is null"


def harness_faults(row: dict[str, Any]) -> Iterator[str]:
    """List what is wrong with the metrics of lm-eval."""
    for entry in row["harness"] if row["harness"] is not None else [None]:
        if entry is None or entry["metric"] is None or entry["is_mean"] is None:
            yield f"harness holds {shortened(entry)}, where a metric has a name, a value and whether it is a mean"


def below(row: dict[str, Any], least: int, *names: str) -> Iterator[str]:
    """List numbers of a row that are too small."""
    for name in names:
        if row[name] is not None and row[name] < least:
            yield f"{name} is {row[name]}"


FAULTS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "choice": choice_faults,
    "preference": choice_faults,
    "generation": generation_faults,
    "text": text_faults,
    "harness": harness_faults,
}


def check_ways(normalisations: dict[str, Any], extracts: dict[str, Any], words: dict[str, Any]) -> None:
    """Refuse an unknown way to score a dataset."""
    for dataset, formats in normalisations.items():
        where = f"--normalisations: {dataset}"
        if not isinstance(formats, dict):
            raise UserError(f'{where} is {shortened(formats)}\nhint: by format, such as {{"io": "character"}}')
        for format_, name in formats.items():
            check_known(f"{where}: {format_}", name, NORMALISATIONS)
    for dataset, name in words.items():
        check_known(f"--words: {dataset}", name, list(SCORERS))
    for dataset, pattern in extracts.items():
        if not isinstance(pattern, str):
            raise UserError(f"--extracts: {dataset} is {shortened(pattern)}\nhint: a regular expression with one group")
        check_group(f"--extracts: {dataset}", pattern)


def check_known(where: str, name: Any, known: list[str]) -> None:
    """Refuse a name that is none of those known."""
    if name not in known:
        near = hint(name, known, otherwise="use one of those")
        raise UserError(f"{where} is {shortened(name)}; known are {', '.join(known)}\n{near}")


def check_identity(cell: dict[str, Any]) -> None:
    """Refuse what does not say which cell it is."""
    known = [*IDENTITY, "learning_rate"]
    if strange := [key for key in cell if key not in known]:
        near = hint(strange[0], known, otherwise=f"its keys are {', '.join(known)}")
        raise UserError(f"--cell: unknown key {strange[0]!r}\n{near}")
    for key, kind in IDENTITY.items():
        if type(cell.get(key)) is not kind:
            wanted = "a whole number" if kind is int else "a text"
            raise UserError(
                f"--cell: {key} is {shortened(cell.get(key))}, not {wanted}\nhint: its keys are {', '.join(known)}"
            )
    if type(cell.get("learning_rate")) not in (int, float, type(None)):
        raise UserError(f"--cell: learning_rate is {shortened(cell['learning_rate'])}\nhint: a number, or null")


def check_method(method: dict[str, Any]) -> None:
    """Refuse what does not say by which method a cell was tuned."""
    for key, value in method.items():
        if key not in METHOD:
            near = hint(key, list(METHOD), otherwise=f"its keys are {', '.join(METHOD)}")
            raise UserError(f"--method: unknown key {key!r}\n{near}")
        if type(value) not in (METHOD[key], type(None)):
            wanted = "a whole number" if METHOD[key] is int else "a text"
            raise UserError(f"--method: {key} is {shortened(value)}\nhint: {wanted}, or null")


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of a training; UserError where it is damaged, or has no losses.

    What was fitted without steps has a `loss`, if there is one at all, in place of those of steps.
    """
    record = read_json(path, dict, keys=RECORD)
    losses = record["losses"]
    is_whole = isinstance(losses, list) and (bool(losses) or record.get("steps") == 0)
    if not is_whole or not all(type(x) in (int, float, type(None)) for x in losses):
        raise damaged(path, f"losses is {shortened(losses)}, where a number, or null, of each step is wanted")
    return record
