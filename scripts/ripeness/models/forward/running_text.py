"""Running text: passages in tokens, and how well a model expects each of them."""

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.context_limits import window_for_text
from ripeness.models.forward.likelihood import Batch, batches_for, read_batches, windows
from ripeness.models.tokens import contexts_of, encode
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_text
from ripeness.storage.parquet import read_table


@dataclass(frozen=True)
class Passages:
    """Passages as a model reads them, put into tokens and padded once for any number of readings.

    `n_windows` and `n_tokens` are those of every passage; `batches` hold its windows, passage after passage.
    """

    items: list[str]
    n_windows: list[int]
    n_tokens: list[int]
    batches: list[Batch]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read passages (item, text) of a table, or the paragraphs of a UTF-8 text file, split at empty lines."""
    if path.suffix == ".parquet":
        return read_table(path, columns=["item", "text"]).to_dicts()
    text = read_text(path, advice="name a UTF-8 text file, or a table (.parquet)")
    paragraphs = [part.strip() for part in text.split("\n\n")]
    rows = [{"item": f"{path.stem}:{number}", "text": text} for number, text in enumerate(paragraphs, 1) if text]
    if not rows:
        raise UserError(f"{path} contains no text\nhint: name a file with a few paragraphs")
    return rows


def read_passages(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, str]], *, batch_tokens: int
) -> Passages:
    """Prepare passages (item, text) for a model: each after the token that stands between documents."""
    start = contexts_of(tokenizer, [[]])[0][0]
    texts = encode(tokenizer, [row["text"] for row in rows])
    pieces = [windows(tokens, start, window_for_text(model)) for tokens in texts]
    flat = [request for requests in pieces for request in requests]
    return Passages(
        items=[row["item"] for row in rows],
        n_windows=[len(requests) for requests in pieces],
        n_tokens=[len(tokens) for tokens in texts],
        batches=list(batches_for(model, flat, batch_tokens)),
    )


def passage_losses(model: PreTrainedModel, passages: Passages) -> list[float]:
    """Compute the negative log-likelihood (nats) of every passage, summed over its tokens."""
    scores = iter(read_batches(model, passages.batches, sum(passages.n_windows)))
    return [-sum(logp for _ in range(n) for logp in next(scores)) for n in passages.n_windows]
