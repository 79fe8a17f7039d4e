"""One item in words: what a model reads, token by token, what is scored, what is learned."""

import textwrap

from transformers import PreTrainedTokenizerBase

from ripeness.measure.prompts import Prompt, unconditional_prompts
from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.chat import template_of
from ripeness.models.token_healing import again_text, continuation_text, text_of
from ripeness.study.tasks import Task, normalisation_of

TEMPLATES = {
    "tokenizer": "the tokenizer's chat template",
    "plain": "lines `User: ...` and `Assistant: ...`, as the tokenizer has no chat template",
}


def pieces(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    """Write tokens as id:piece, wrapped."""
    words = " ".join(
        f"{token}:{piece}" for token, piece in zip(tokens, tokenizer.convert_ids_to_tokens(tokens), strict=True)
    )
    return textwrap.fill(words, 110, initial_indent="    ", subsequent_indent="    ", break_long_words=False)


def counted(tokens: list[int]) -> str:
    """Write how many tokens there are."""
    return "1 token" if len(tokens) == 1 else f"{len(tokens)} tokens"


def answers(tokenizer: PreTrainedTokenizerBase, example: dict, prompt: Prompt) -> str:
    """Write every scored option, with the right one marked."""
    lines = []
    for place, tokens in enumerate(prompt.answers):
        mark = "  <- gold" if place == example["gold"] else ""
        text = continuation_text(tokenizer, prompt.context, tokens)
        lines += [f"  {text!r}, {counted(tokens)}{mark}", pieces(tokenizer, tokens)]
    return "\n".join(lines)


def scored(tokenizer: PreTrainedTokenizerBase, example: dict, task: Task, format_: str, prompt: Prompt) -> list[str]:
    """Describe what the model must answer and how the answer is compared."""
    if task.kind == "generation":
        lines = [f"generated: at most {task.max_new_tokens} tokens, up to the end of text or before {task.stop!r}"]
        if text := again_text(tokenizer, prompt.start):
            lines.append(f"written again first: {text!r}, the end of the prompt, which a longer token may begin with")
        return [*lines, *(f"right: {reference!r}" for reference in example["references"])]
    name = normalisation_of(task, format_)
    lines = [f"scored: the log-likelihood of every option, normalisation {name}", answers(tokenizer, example, prompt)]
    if name == "pmi":
        alone = unconditional_prompts(tokenizer, [example], task.unconditional, room=10**9)
        context = next(iter(alone.values())).context
        lines += [f"less that after {tokenizer.decode(context)!r}", pieces(tokenizer, context)]
    return lines


def describe(tokenizer: PreTrainedTokenizerBase, example: dict, task: Task, format_: str, prompt: Prompt) -> str:
    """Write everything about one item."""
    dropped = f", {prompt.n_dropped} shots left out to fit" if prompt.n_dropped else ""
    (trained,) = encode_examples(
        [(example["item"], example["turns"] or example["prompt"], example["target"])], tokenizer, max_length=10**9
    )
    learned = [token for token in trained.targets if token != IGNORED]
    before = trained.tokens[: len(trained.tokens) - len(learned)]
    lines = [
        *([f"worded by: {TEMPLATES[template_of(tokenizer)]}"] if example["turns"] else []),
        "text:",
        textwrap.indent(text_of(tokenizer, prompt.context), "  | ", lambda _: True),
        f"tokens: {len(prompt.context)}{dropped}",
        pieces(tokenizer, prompt.context),
        *scored(tokenizer, example, task, format_, prompt),
        f"learned when tuned on: {continuation_text(tokenizer, before, learned)!r}, {counted(learned)}",
        pieces(tokenizer, learned),
    ]
    return "\n".join(lines)
