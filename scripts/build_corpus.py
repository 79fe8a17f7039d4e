"""Build a corpus from a recipe: tokenizer, training tokens, held-out texts and their numbers.

OUTPUT/tokenizer/        a tokenizer that AutoTokenizer loads
OUTPUT/train.npy         token stream, an end-of-text token before each document
OUTPUT/heldout.parquet   columns item and text, none of it in the stream
OUTPUT/corpus.json       documents, tokens, bytes per token, sha256 of the stream
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from ripeness.data.corpus import (
    Recipe,
    World,
    check_length,
    encode_stream,
    heldout_texts,
    make_tokenizer,
    read_recipe,
    write_tokenizer,
)
from ripeness.data.nursery.world import documents
from ripeness.data.passages import DOCUMENT_BYTES, cut, read_text
from ripeness.runtime.command_line import argument_parser, json_option, output_folder, run
from ripeness.runtime.files import whole, write_json

logger = logging.getLogger(__name__)


def build(recipe: Recipe, folder: Path) -> dict:
    """Write the corpus to a new folder and return its numbers."""
    heldout, source = heldout_texts(recipe), recipe.source
    texts: Iterable[str]
    if isinstance(source, World):
        texts, tokenizer = documents(source.seed), make_tokenizer(recipe, [])
    else:
        texts = passages = cut(read_text(source.train), DOCUMENT_BYTES)
        tokenizer = make_tokenizer(recipe, passages)
    # One token more than the steps consume: the last one is predicted, never read.
    stream, numbers = encode_stream(tokenizer, texts, recipe.n_tokens + 1)
    if not isinstance(source, World):
        check_length(source, len(stream), wanted=recipe.n_tokens)
    folder.mkdir()
    write_tokenizer(tokenizer, folder / "tokenizer")
    np.save(folder / "train.npy", stream)
    items = [f"heldout-{index:05d}" for index in range(len(heldout))]
    pl.DataFrame({"item": items, "text": heldout}).write_parquet(folder / "heldout.parquet")
    numbers |= {
        "n_tokens_wanted": recipe.n_tokens,
        "n_repeats": round(recipe.n_tokens / max(len(stream) - 1, 1), 3),
        "n_heldout": len(heldout),
        "n_heldout_bytes": sum(len(text.encode()) for text in heldout),
    }
    write_json(folder / "corpus.json", numbers)
    return numbers


def main(argv: list[str] | None = None) -> None:
    """Read the recipe, build the corpus whole or not at all."""
    parser = argument_parser(__doc__)
    parser.add_argument("--recipe", required=True, type=json_option, help="a JSON object")
    parser.add_argument("--output", required=True, type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a job has one core
    logger.info("recipe %s", options.recipe)
    with whole(options.output) as folder:
        numbers = build(read_recipe(options.recipe), folder)
    logger.info("built %s", numbers)


if __name__ == "__main__":
    run(main)
