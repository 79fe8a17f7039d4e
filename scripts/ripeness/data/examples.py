"""Items worded in a format: the prompt, or the turns of a chat, and the answers that are scored."""

from collections.abc import Iterator
from typing import Any

from ripeness.data.items import Item
from ripeness.data.spacing import glued
from ripeness.runtime.errors import UserError
from ripeness.study.tasks import CHAT, LETTERED, Task
from ripeness.study.templates import evaluate, expression, letters, render


def examples(items: list[Item], task: Task, format_: str) -> Iterator[dict[str, Any]]:
    """Render items in one format: rows of ripeness.tables.columns.EXAMPLES."""
    for item in items:
        words = [task.labels[name] if task.labels else name for name in item.choices]
        fields = item.fields | ({"options": [word.strip() for word in words]} if words else {})
        turns = turns_of(task.formats[format_], fields) if format_ == CHAT else []
        prompt = turns[-1]["content"] if turns else render(task.formats[format_], fields)
        answers = letters(len(words)) if format_ == LETTERED else words or [item.target]
        # a turn begins where the chat template puts it
        answers = [answer.strip() if turns else glued(prompt, answer) for answer in answers]
        yield {
            "item": item.id,
            "cluster": item.cluster,
            "prompt": prompt,
            "turns": turns,
            "choices": answers if words else [],
            "gold": item.gold,
            "target": answers[max(item.gold, 0)],
            "references": item.references,
        }


def turns_of(template: str, fields: dict[str, Any]) -> list[dict[str, str]]:
    """Build the turns before the answer: from an expression, or the template's text as the only user turn."""
    inner = expression(template)
    turns = evaluate(inner, fields) if inner is not None else None
    if not isinstance(turns, list):
        return [{"role": "user", "content": render(template, fields)}]
    if not turns or not all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in turns):
        raise UserError(
            f"formats.{CHAT}: {turns!r} are not turns\n"
            "hint: a list of {role, content}, or a template of what the user says"
        )
    return [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in turns]
