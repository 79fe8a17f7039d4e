"""Pre-training text that is read again next to the examples, so that it is forgotten less.

A share p of the sequences is pieces of text: B examples have p / (1 - p) * B pieces next to them, rounded over the
whole training, so that small shares give a piece to some batches only. Examples, their order and the steps are those of
a training without replay. The loss of a batch weighs every sequence alike: the mean over the answers' tokens counts as
often as there are examples, the mean over the pieces' tokens as often as there are pieces. (Bethune et al. 2025, arXiv
2502.06042, find that 1 % of pre-training text does much against forgetting.)
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from ripeness.data.passages import DOCUMENT_BYTES, cut, read_text
from ripeness.models.tokens import contexts_of, encode
from ripeness.runtime.errors import UserError
from ripeness.storage.arrays import read_array

PIECE_TOKENS = (
    512  # of a piece, or as many as the model reads; long enough for text, short enough for one row of a batch
)


@dataclass(frozen=True)
class Replay:
    """Pieces of text, of which `piece` gives the tokens by number, and how they are drawn.

    `digest` tells one text from another.
    """

    share: float
    seed: int
    n_pieces: int
    digest: str
    piece: Callable[[int], list[int]] = field(repr=False)

    def count(self, n_examples: int) -> int:
        """Pieces that are read with so many examples."""
        return round(n_examples * self.share / (1 - self.share))

    def pieces_for(self, first: int, last: int) -> list[list[int]]:
        """Tokens of the pieces that are read with examples number `first` to `last` of a training.

        No piece comes again before all have come; each time around they have a new order. All follows from the seed.
        """
        places = (divmod(number, self.n_pieces) for number in range(self.count(first), self.count(last)))
        return [self.piece(order_of(self.seed, turn, self.n_pieces)[place]) for turn, place in places]


@lru_cache(maxsize=2)
def order_of(seed: int, turn: int, n_pieces: int) -> np.ndarray:
    """Return the order of the pieces in one turn through the text."""
    return np.random.default_rng([seed, turn]).permutation(n_pieces)


def open_replay(path: Path, tokenizer: PreTrainedTokenizerBase, *, share: float, seed: int, window: int) -> Replay:
    """Return the text that a training reads again: tokens of a corpus (.npy), or a UTF-8 text file.

    Pieces of a corpus are windows that do not overlap, those of a text file its documents, cut at line ends and put
    after the token that stands between documents. `window` is what the model reads at once.
    """
    length = min(PIECE_TOKENS, window)
    if path.suffix == ".npy":
        stream = read_array(path)
        sample = np.ascontiguousarray(stream[:: max(1, len(stream) // 2**20)])
        n_pieces, digest = len(stream) // length, hashlib.sha256(sample.tobytes())

        def piece(number: int) -> list[int]:
            return stream[number * length : (number + 1) * length].tolist()
    else:
        text = read_text(path)
        documents = cut(text, DOCUMENT_BYTES)
        n_pieces, digest, start = len(documents), hashlib.sha256(text.encode()), contexts_of(tokenizer, [[]])[0]

        def piece(number: int) -> list[int]:
            return [*start, *encode(tokenizer, [documents[number]])[0]][:length]

    if not n_pieces:
        least = f"{length} tokens" if path.suffix == ".npy" else f"{DOCUMENT_BYTES} bytes"
        raise UserError(f"{path} is shorter than one piece of {least}\nhint: name a longer text under `replay`")
    return Replay(share, seed, n_pieces, digest.hexdigest(), piece)
