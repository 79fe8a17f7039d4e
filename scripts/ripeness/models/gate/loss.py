"""The gate's second half: what a checkpoint makes of a text that its series should read well, and how that falls.

A wrong conversion leaves tensors of the right names and shapes, but a model that is sure of the wrong words. Measured
on the nursery (guessing evenly is 5.9 nats a token): trained checkpoints 4.0 to 0.75, with two layers swapped 7.2 to
8.6, with the rows of another tokenizer 10 to 14.
"""

import math
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.context_limits import context_length
from ripeness.models.gate.folder import refusal
from ripeness.models.gate.lowest_loss import check_not_too_low, relabelled
from ripeness.models.load import load_weights
from ripeness.models.tokens import encode, end_of_text, load_tokenizer
from ripeness.runtime.errors import UserError

MOST_TOKENS = 1024
LARGE = 2_000_000_000  # parameters, above which fp32 would not fit a login node; bf16 moves the loss by about 0.01
# A model has hardly moved from its random start before it has seen a tenth of a token for each parameter, and a random
# start may be far above guessing (the nursery's: 18 nats), so nothing is asked of it.
TOKENS_TO_MOVE = 0.1
# Above guessing: by less than a nat, what a random start or a spike early in training can be.
# Below guessing: after a billion tokens a model knows at least how frequent words are, which is worth about three.
TOKENS_TO_KNOW = 1_000_000_000
MARGIN = 1.0

PROSE = """\
The river had risen in the night, and by morning the lower road was under water. Two men stood at the gate and \
talked about the bridge. It would hold, one of them said, because it had held every spring since his father helped \
to build it. The other was not so sure. He pointed at the trees that came down with the current, turning slowly, and \
said that a single large one would be enough.

In the town the shops opened late. The baker sold what he had baked the day before at half the price, and nobody \
complained. At the school only eleven children sat in a room that was meant for thirty, so the teacher told them to \
put away their books and asked each of them what they would save first if the water came into the house. A girl said \
that she would take the cat. A boy said that he would take his grandmother, and then, after some thought, the radio.

Water expands when it freezes, which is why ice floats and why pipes burst in winter. Most other liquids shrink as \
they become solid. If ice were heavier than water, lakes would freeze from the bottom up, and few fish would live \
through a cold year. The reason lies in the shape of the molecules, which take up more room when they are held in \
place than when they move.

To make the soup, cut two onions and four carrots into small pieces and cook them in a little butter until they are \
soft. Add a litre of water, salt, and three potatoes. After twenty minutes, mash everything with a fork and serve it \
with bread.

"How long have you been waiting?" she asked.
"About an hour," he said. "The train was supposed to come at six."
She looked at the clock on the wall. It was a quarter past seven, and there was no one else on the platform.
"""


def read_text(path: Path) -> str:
    """Read the user's own text for testing a series."""
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"gate_text: {path} cannot be read: {error}\nhint: name a UTF-8 text file") from None
    if len(text) < 200:
        raise UserError(f"gate_text: {path} has {len(text)} characters\nhint: provide a few hundred words")
    return text


def check_loss(folder: Path, facts: dict[str, Any], text_file: Path | None, *, accept: bool = False) -> dict[str, Any]:
    """Measure a fetched checkpoint; refuse one that is worse than it can be, unless any loss is accepted.

    Facts hold tokens and n_parameters.
    """
    text = PROSE if text_file is None else read_text(text_file)
    tokenizer = load_tokenizer(folder)
    if encode(tokenizer, [text]) == [[]]:
        raise refusal(
            folder,
            "its tokenizer has no token for any word of the gate's text",
            "name one: `gate_text: FILE` below its series",
        )
    dtype = torch.float32 if facts["n_parameters"] < LARGE else torch.bfloat16
    model = load_weights(folder, on_gpu=False, dtype=dtype)
    measured = measure(model, tokenizer, [text]) | {"text": "English prose" if text_file is None else str(text_file)}
    if not math.isfinite(measured["loss"]):
        raise refusal(folder, "its predictions are not finite", "the weights overflow; convert the checkpoint again")
    if not accept:
        check_not_too_low(
            folder,
            facts["tokens"],
            measured,
            lambda seed: measure(model, tokenizer, [text], relabelling=seed)["loss"],
            is_prose=text_file is None,
        )
    most = None if accept else highest(measured["guessing"], facts)
    if most is not None and measured["loss"] > most:
        raise refusal(
            folder,
            f"it predicts {measured['text']} with a loss of {measured['loss']:.2f} nats a token, guessing evenly has "
            f"{measured['guessing']:.2f}; after {facts['tokens']:.3g} tokens at most {most:.2f} can be right",
            "weights in the wrong places, or the tokenizer of another model: convert it again; if it has learned "
            "something else than that text, name a text of its kind: `gate_text: FILE` below its series in the study's "
            "file, or `ripeness init ... --text FILE --force`",
        )
    return measured


def highest(guessing: float, facts: dict[str, Any]) -> float | None:
    """Compute the highest plausible loss of a checkpoint after its tokens; None where any loss is plausible."""
    if facts["tokens"] < TOKENS_TO_MOVE * facts["n_parameters"]:
        return None
    return guessing - MARGIN if facts["tokens"] >= TOKENS_TO_KNOW else guessing + MARGIN


@torch.no_grad()
def measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str], *, relabelling: int | None = None
) -> dict[str, Any]:
    """Measure the loss of a text in nats per token, that of a uniform guess, and bits per byte.

    The text is read in windows of the context's length, each text after the token that stands between documents. With
    `relabelling`, a seed, every token stands for another one of the vocabulary.
    """
    tokens = [token for part in encode(tokenizer, texts) for token in [end_of_text(tokenizer), *part]][:MOST_TOKENS]
    n_bytes = len(tokenizer.decode(tokens[1:]).encode())
    if relabelling is not None:
        tokens = relabelled(tokens, len(tokenizer), relabelling)
    n = min(context_length(model.config), len(tokens))
    total = 0.0
    for start in range(0, len(tokens) - 1, n - 1):
        window = torch.tensor([tokens[start : start + n]])
        logits = model(input_ids=window[:, :-1]).logits.float()
        total += torch.nn.functional.cross_entropy(logits[0], window[0, 1:], reduction="sum").item()
    loss = total / (len(tokens) - 1)
    return {
        "loss": round(loss, 4),
        "guessing": round(math.log(len(tokenizer)), 4),
        "bits_per_byte": round(total / math.log(2) / max(1, n_bytes), 4),
        "n_tokens": len(tokens) - 1,
    }
