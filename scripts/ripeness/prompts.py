"""Put examples before a question, as many as fit, and turn it into tokens."""

import random
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from ripeness.errors import UserError
from ripeness.models import document_start, encode_pair


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model reads it. `context` and `answers` are tokens; `n_dropped` counts shots left out."""

    context: list[int]
    answers: list[list[int]]
    n_dropped: int


def draw_shots(pool: list[dict], n: int, *, seed: int) -> list[str]:
    """Texts of `n` examples of the pool, drawn by seed: the same for every item, format and checkpoint."""
    if n > len(pool):
        raise UserError(f"{n} shots are wanted, but the pool holds {len(pool)}\nhint: raise `items.shots` in the study")
    chosen = random.Random(seed).sample(range(len(pool)), n)
    return [pool[i]["prompt"] + pool[i]["target"] for i in chosen]


def build_prompt(
    tokenizer: PreTrainedTokenizerBase,
    example: dict,
    shots: list[str],
    *,
    separator: str,
    room: int,
    answer_room: int = 0,
) -> Prompt:
    """Tokens of one example after its shots, in at most `room` tokens with its longest answer.

    Whole shots are left out, the first ones first, until it fits; a question that does not fit alone is a UserError.
    `answer_room` is kept free for text that is still to be generated.
    """
    start = document_start(tokenizer)
    answers = example["choices"] or [example["target"]]
    for n_dropped in range(len(shots) + 1):
        text = separator.join([*shots[n_dropped:], example["prompt"]])
        pairs = [encode_pair(tokenizer, text, answer) for answer in answers]
        context = start + pairs[0][0]
        longest = answer_room or max(len(answer) for _, answer in pairs)
        if len(context) + longest <= room:
            return Prompt(context, [answer for _, answer in pairs], n_dropped)
    raise UserError(
        f"item {example['item']!r} has {len(context)} tokens and needs {longest} for its answer, but the model reads "
        f"{room}\nhint: leave long items out with `max_characters` in the task file or under `datasets` in the study"
    )
