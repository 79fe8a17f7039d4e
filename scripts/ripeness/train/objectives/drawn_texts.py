"""Questions that a policy answers in texts of its own, and these texts as a training reads them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from ripeness.models.batching import IGNORED, Example
from ripeness.models.forward.packed_attention import own_attention
from ripeness.models.load import autocast, resolve_precision
from ripeness.models.next_token import Sampling, Stopping, answer_text
from ripeness.models.token_healing import Start
from ripeness.models.writing import sample
from ripeness.train.reading import Reading, Room


@dataclass(frozen=True)
class Question:
    """Where a text starts, and the item that it answers, which decides what the text is worth."""

    start: Start
    row: dict[str, Any]

    @property
    def tokens(self) -> list[int]:
        """Return the tokens of the prompt."""
        return self.start.context

    @property
    def answers(self) -> list[Example]:
        """Return the prompt, of which nothing is learned."""
        return [Example(self.tokens, [IGNORED] * len(self.tokens))]


@dataclass(frozen=True)
class DrawnText:
    """A text after a prompt, of which all that was drawn is learned; `place` is its number in the round."""

    example: Example
    place: int

    @property
    def tokens(self) -> list[int]:
        """Return the tokens of prompt and text."""
        return self.example.tokens

    @property
    def answers(self) -> list[Example]:
        """Return the one sequence that is read."""
        return [self.example]


@dataclass(frozen=True)
class Drawing:
    """How texts are drawn: with which tokenizer, when they end, and with how much chance."""

    tokenizer: PreTrainedTokenizerBase
    stopping: Stopping
    sampling: Sampling

    def draw(
        self, reading: Reading, questions: list[Question], n: int, *, seed: int, batch_tokens: int
    ) -> list[list[list[int]]]:
        """Draw the tokens of `n` texts after every question, without dropout; a token below 0 ends a lost one."""
        model, starts = reading.model, [question.start for question in questions]
        is_training = model.training
        model.eval()
        with own_attention(model), autocast(model.device, resolve_precision(reading.precision, model.device)):
            how = {"n": n, "seed": seed, "batch_tokens": batch_tokens}
            found = sample(model, self.tokenizer, starts, self.stopping, self.sampling, **how)
        model.train(is_training)
        return found

    def text(self, question: Question, tokens: list[int]) -> str | None:
        """Return a text as it is answered: without its end; None where the model gave no numbers."""
        return answer_text(self.tokenizer, self.stopping, question.start, tokens)


def drawn(
    drawing: Drawing, questions: Sequence[Question], n: int, seed: int, room: Room
) -> tuple[list[Question], list[list[int]]]:
    """Draw `n` texts after each question, as memory allows; return the question and the tokens of each text."""

    def draw(reading: Reading, n_tokens: int) -> list[list[list[int]]]:
        return drawing.draw(reading, list(questions), n, seed=seed, batch_tokens=n_tokens)

    found = room.read(draw, list(questions))
    return [one for one in questions for _ in range(n)], [tokens for several in found for tokens in several]


def with_prompt(question: Question, tokens: list[int]) -> Example:
    """Join a prompt and what was drawn after it; a lost token becomes token 0, of a training that has diverged."""
    context, written = question.tokens, [max(token, 0) for token in tokens]
    return Example([*context, *written], [*[IGNORED] * len(context), *written])


def seed_of(*parts: Any) -> int:
    """Make a seed from what tells a draw from others, such as the training's seed and the step."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7])
