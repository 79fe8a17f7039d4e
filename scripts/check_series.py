"""Compare the losses of a series' checkpoints on one text, and refuse one that has lost what others had learned."""

import logging
from pathlib import Path

from ripeness.command_line import argument_parser, run
from ripeness.files import read_json, write_json
from ripeness.gate_series import check_falling

KEYS = ("series", "checkpoint", "step", "tokens")


def main(argv: list[str] | None = None) -> None:
    """Write a list of checkpoints with their losses."""
    parser = argument_parser(__doc__)
    parser.add_argument("--checkpoints", required=True, type=Path, nargs="+", help="folders of checkpoints")
    parser.add_argument("--refuse", action="store_true", help="end with an error instead of a remark")
    parser.add_argument("--output", required=True, type=Path, help="JSON file to write")
    options = parser.parse_args(argv)
    facts = [read_json(folder / "checkpoint.json") for folder in options.checkpoints]
    rows = [{key: fact[key] for key in KEYS} | fact["gate"] for fact in facts]
    checked = check_falling(rows, may_refuse=options.refuse)
    for row in checked:
        logging.info("%s: loss %.3f %s", row["checkpoint"], row["loss"], row["remark"] or "")
    write_json(options.output, checked)


if __name__ == "__main__":
    run(main)
