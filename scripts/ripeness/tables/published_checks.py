"""Check rows of published tables against each other: duplicates, places of checkpoints, kinds."""

from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.study.scoring.metrics import KINDS, METRICS, TEXT
from ripeness.tables.published_csv import COLUMNS, Line, read_lines

# The metrics that tell the kind of a probe where the table does not: those of one kind, and published ones of text.
KIND_OF = {kind: {metric.name for metric in METRICS if metric.kinds == (kind,)} for kind in KINDS}
KIND_OF[TEXT] |= {"ppl", "perplexity"}


def read_published(paths: list[Path], tokens_per_step: int | None) -> list[Line]:
    """Return the rows of all tables, checked against each other; every one has its tokens."""
    lines = [line for path in paths for line in read_lines(path)]
    if not lines:
        raise UserError(f"no rows in {', '.join(map(str, paths))}\nhint: a table has one line for each number")
    for line in lines:
        if line.values["tokens"] is None:
            if tokens_per_step is None:
                raise UserError(
                    f"{line.where}: a step without tokens, but figures need tokens\n"
                    "hint: add a column `tokens`, or give the tokens of a step: published: {tokens_per_step: ...}"
                )
            line.values["tokens"] = line.values["step"] * tokens_per_step
    check_twice(lines)
    check_checkpoints(lines)
    set_kinds(lines)
    return lines


def check_twice(lines: list[Line]) -> None:
    """Refuse two rows about the same number."""
    apart = {"step", "tokens", "phase", "value", "se", "n_items", "chance", "majority", "probe_kind"}
    key = [name for name in COLUMNS if name not in apart]
    seen: dict[tuple, str] = {}
    for line in lines:
        # an empty format is the one that text has, or `default`: see published_tables
        usual = {"format": "text" if line.values["probe_kind"] == "text" else "default"}
        place = tuple(usual.get(name) if line.values[name] is None else line.values[name] for name in key)
        if place in seen:
            shown = ", ".join(str(part) for part in place if part is not None)
            raise UserError(f"{line.where}: the same number as {seen[place]} ({shown})\nhint: remove one of the rows")
        seen[place] = line.where


def check_checkpoints(lines: list[Line]) -> None:
    """Refuse a checkpoint that is at two places, and steps that contradict tokens."""
    points: dict[tuple[str, str], Line] = {}
    for line in lines:
        row = line.values
        first = points.setdefault((row["series"], row["checkpoint"]), line)
        for name in ("step", "tokens", "phase"):
            if first.values[name] != row[name]:
                raise UserError(
                    f"{line.where}: {row['checkpoint']} of {row['series']} has {name} {row[name]}, "
                    f"but {first.values[name]} in {first.where}\nhint: a checkpoint has one step, one count of tokens"
                )
    series: dict[str, list[Line]] = {}
    for (name, _), line in points.items():
        if line.values["step"] is not None:
            series.setdefault(name, []).append(line)
    for found in series.values():
        found.sort(key=lambda line: (line.values["step"], line.values["tokens"]))
        for before, after in zip(found, found[1:], strict=False):
            (step, tokens), (later, more) = ((p.values["step"], p.values["tokens"]) for p in (before, after))
            if (later == step) != (more == tokens) or more < tokens:
                raise UserError(
                    f"{after.where}: {later} steps with {more} tokens, but {step} steps with {tokens} tokens in "
                    f"{before.where}\nhint: tokens increase with steps; check both columns"
                )


def set_kinds(lines: list[Line]) -> None:
    """Say of every probe what kind it is, from the table or from its metrics."""
    kinds: dict[str, tuple[str, str]] = {}
    metrics: dict[str, set[str]] = {}
    for line in lines:
        row = line.values
        metrics.setdefault(row["probe"], set()).add(row["metric"])
        if (
            row["probe_kind"]
            and kinds.setdefault(row["probe"], (row["probe_kind"], line.where))[0] != row["probe_kind"]
        ):
            raise UserError(
                f"{line.where}: {row['probe']} is {row['probe_kind']}, but {' in '.join(kinds[row['probe']])}\n"
                "hint: a probe has one kind"
            )
    for line in lines:
        probe = line.values["probe"]
        if probe not in kinds:
            found = [kind for kind, names in KIND_OF.items() if metrics[probe] & names]
            if not found:
                raise UserError(
                    f"{line.where}: unknown kind of the probe {probe}, measured by {', '.join(metrics[probe])}\n"
                    f"hint: add a column `probe_kind` with one of {', '.join(KINDS)}"
                )
            kinds[probe] = (found[0], line.where)
        line.values["probe_kind"] = kinds[probe][0]
