"""The gate's lower bound: a checkpoint that has hardly been trained predicts no better than it can.

Published series serve the weights of a later step, or of the end, under the name of step 0 (pythia-2.8b:
EleutherAI/pythia issue 205). Such weights load, have the right shapes, and predict well; only too well for their label.
"""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError

MARGIN = 1.0  # nats a token; an untrained model is at guessing evenly or above it, by what its start happens to be
RELABELLINGS = 20  # an untrained model is below all of them, by that margin too, once in more than so many texts
# What a model has learned from so many bytes of text, seen once or more often, does not predict English prose in fewer
# bits a byte. Compressors that learn as they read come to 1.8 on a novel of 0.8 MB, to 1.5 on one of 10 MB; networks
# that read the 100 MB of enwik8 again and again to 0.95 on the rest of it, and on another kind of text to more.
FEWEST_BITS = ((10**6, 1.6), (10**7, 1.3), (10**8, 0.9))
HINT = (
    "these are weights of a later step, or of the end: list the branches of the hub with "
    "`python scripts/resolve_revisions.py --check <repository>`, and take another revision; where a run began from a "
    "trained model, count its tokens too, or say accept_loss: true"
)


def check_not_too_low(
    folder: Path, tokens: int, measured: dict[str, Any], loss_relabelled: Callable[[int], float], *, is_prose: bool
) -> None:
    """Refuse a checkpoint that predicts better than it can after its tokens; `measured` is that of loss.py.

    `is_prose` says that the text is the gate's own, which no series has learned by heart.

    To a model that has seen nothing all tokens are alike but for whether they are the same one. So the text is to it
    one of many in which every token stands for another, by a seed: `loss_relabelled`. It matters where a text is of
    few tokens, of which a random start may be sure, or of repetitions, which one with tied embeddings likes.
    """
    loss, guessing = measured["loss"], measured["guessing"]
    is_low = tokens == 0 and loss < guessing - MARGIN
    if is_low and all(loss < loss_relabelled(seed) - MARGIN for seed in range(RELABELLINGS)):
        raise too_low(
            folder,
            f"it predicts {measured['text']} with a loss of {loss:.2f} nats per token, but is described as untrained; "
            f"guessing evenly has {guessing:.2f}",
        )
    least = fewest_bits(tokens, measured) if is_prose else None
    if least is not None and measured["bits_per_byte"] < least:
        raise too_low(
            folder,
            f"it predicts {measured['text']} with {measured['bits_per_byte']:.2f} bits a byte ({loss:.2f} nats a "
            f"token); after {tokens:.3g} tokens no model is below {least:g}",
        )


def too_low(folder: Path, what: str) -> UserError:
    """Make the error for a checkpoint whose loss is implausibly low."""
    return UserError(f"the checkpoint {folder}: {what}\nhint: {HINT}")


def fewest_bits(tokens: int, measured: dict[str, Any]) -> float | None:
    """Compute the fewest plausible bits per byte of prose after so many tokens; None where any are plausible."""
    bytes_per_token = measured["loss"] / math.log(2) / max(measured["bits_per_byte"], 1e-4)
    return next((bits for most, bits in FEWEST_BITS if tokens * bytes_per_token <= most), None)


def relabelled(tokens: list[int], n_tokens: int, seed: int) -> list[int]:
    """Permute the tokens of the vocabulary by seed."""
    names = list(range(n_tokens))
    random.Random(seed).shuffle(names)
    return [names[token] for token in tokens]
