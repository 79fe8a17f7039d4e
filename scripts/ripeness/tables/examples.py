"""Read examples, with which models are tuned and measured: parquet from render_examples, or JSONL by hand."""

import json
from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_text
from ripeness.storage.parquet import read_table
from ripeness.tables.columns import EXAMPLES, conform

UTF_8 = "it must be a UTF-8 text file"


def read_examples(path: Path) -> list[dict]:
    """Read examples: parquet from render_examples, or JSONL by hand.

    A line of JSONL holds `prompt`, and `target` or `choices` with `gold` (the place of the right one, from 0); `item`
    and `cluster` are made from the line's number where they are missing. `turns` in the place of `prompt` are a chat,
    `references` are further right answers next to the `target`, `same_text` says
    of options that are letters which have the same text. UserError names a line that lacks something.
    """
    if path.suffix != ".jsonl":
        return read_table(path).to_dicts()
    rows = []
    for number, line in enumerate(read_text(path, advice=UTF_8).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            choices, gold = row.get("choices") or [], row.get("gold", -1)
            if choices and not (type(gold) is int and 0 <= gold < len(choices)):
                raise ValueError(f"gold is {gold!r}, and no place of one of the {len(choices)} choices, from 0")
            target = choices[gold] if choices else row["target"]
            item = str(row.get("item", f"{path.name}:{number}"))
            turns = row.get("turns") or []
            prompt = turns[-1]["content"] if turns else row["prompt"]
            given = {"item": item, "cluster": str(row.get("cluster", item)), "prompt": prompt, "turns": turns}
            given |= {"references": [] if choices else row.get("references") or [target]}
            given |= {"same_text": row.get("same_text")}
            rows.append(given | {"choices": choices, "gold": gold if choices else -1, "target": target})
        except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
            raise UserError(
                f"{path}:{number}: not an example ({described(error)})\n"
                'hint: {"prompt": ..., "target": ...} or {"prompt": ..., "choices": [...], "gold": 0}'
            ) from None
    if not rows:
        raise UserError(f"{path} contains no example\nhint: write one JSON object per line")
    if odd := [place for place, row in enumerate(rows, 1) if bool(row["turns"]) != bool(rows[0]["turns"])]:
        raise UserError(
            f"{path}: row {odd[0]} has {'a prompt' if rows[0]['turns'] else 'turns'}, unlike the first\n"
            "hint: a file contains chats, with `turns`, or prompts, not both"
        )
    return conform(rows, EXAMPLES).to_dicts()


def described(error: Exception) -> str:
    """Say in words what is wrong with a line."""
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
