"""Compare the losses of a series' checkpoints on one text, and refuse one that has lost what others had learned.

With --compare-weights, refuse checkpoints that have the same weights.
"""

import logging
from pathlib import Path
from typing import Any

from ripeness.audit.weights import same_weights
from ripeness.models.checkpoint_facts import read_facts
from ripeness.models.fingerprints import read_weights
from ripeness.models.gate.series import check_falling
from ripeness.runtime.command_line import argument_parser, output_file, run
from ripeness.runtime.files import write_json
from ripeness.runtime.made_here import damaged
from ripeness.study.audit_checks import refusal

KEYS = ("series", "checkpoint", "step", "tokens")


def compare_weights(folders: list[Path], facts: list[dict[str, Any]]) -> None:
    """Compare the weights of checkpoints. Raises UserError for equal ones; logs a warning for those that share some."""
    weights: dict[str, Any] = {}
    points: dict[str, Any] = {}
    for folder, fact in zip(folders, facts, strict=True):
        series = weights.setdefault(fact["series"], {"seed": fact.get("seed"), "checkpoints": {}})
        series["checkpoints"][fact["checkpoint"]] = read_weights(folder)
        points.setdefault(fact["series"], {"checkpoints": []})["checkpoints"].append(fact)
    rows = list(same_weights({"series": points, "weights": weights}))
    for row in rows:
        logging.info("%s: %s: %s", row.severity, row.where, row.seen)
    if error := refusal(rows):
        raise error


def read_gated(path: Path) -> dict[str, Any]:
    """Return the facts of a checkpoint with its loss. Raises UserError if it has none."""
    facts = read_facts(path)
    if missing := [key for key in (*KEYS, "gate") if key not in facts]:
        raise damaged(path, f"it lacks {', '.join(missing)}")
    return facts


def main(argv: list[str] | None = None) -> None:
    """Write a list of checkpoints with their losses."""
    parser = argument_parser(__doc__)
    parser.add_argument("--checkpoints", required=True, type=Path, nargs="+", help="folders of checkpoints")
    parser.add_argument("--refuse", action="store_true", help="end with an error instead of a remark")
    parser.add_argument("--compare-weights", action="store_true", help="refuse checkpoints with the same weights")
    parser.add_argument("--output", required=True, type=output_file, help="JSON file to write")
    options = parser.parse_args(argv)
    facts = [read_gated(folder / "checkpoint.json") for folder in options.checkpoints]
    rows = [{key: fact[key] for key in KEYS} | fact["gate"] for fact in facts]
    if options.compare_weights:
        compare_weights(options.checkpoints, facts)
    checked = check_falling(rows, may_refuse=options.refuse)
    for row in checked:
        logging.info("%s: loss %.3f %s", row["checkpoint"], row["loss"], row["remark"] or "")
    write_json(options.output, checked)


if __name__ == "__main__":
    run(main)
