"""A corpus: a tokenizer, a stream of training tokens and held-out texts, from the micro-world or from text files."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from ripeness.data.nursery.tasks import answer_text, prompt_text
from ripeness.data.nursery.world import FORMAT_SHARES, TASKS, documents, heldout_documents, rows
from ripeness.data.passages import PASSAGE_BYTES, cut, read_text
from ripeness.runtime.errors import UserError

END_OF_TEXT = "<|endoftext|>"
PADDING = "<|padding|>"

# Text repeated more often than this teaches little more than itself.
MOST_REPEATS = 8
# Documents that the tokenizer of the world is trained on; each word of the world occurs in far fewer.
N_TOKENIZER_DOCUMENTS = 4000


@dataclass(frozen=True)
class World:
    """The micro-world as the source of a corpus."""

    seed: int


@dataclass(frozen=True)
class Text:
    """Two text files as the source of a corpus."""

    train: Path
    validation: Path


@dataclass(frozen=True)
class Recipe:
    """What a corpus is made of: a world (by its seed) or two text files, and its sizes.

    `vocabulary_size` is an upper limit; `n_tokens` is what the training will consume, `n_heldout` a number of
    documents (world) or passages (text).
    """

    vocabulary_size: int
    n_tokens: int
    n_heldout: int
    source: World | Text


def read_recipe(value: dict) -> Recipe:
    """Make a recipe from its JSON form, or raise UserError that names the key.

    {"world": {"seed": 0}, "vocabulary_size": 512, "n_tokens": 6000000, "n_heldout": 200}, or instead of the world
    {"text": {"train": PATH, "validation": PATH}}.
    """
    known = {"world", "text", "vocabulary_size", "n_tokens", "n_heldout"}
    unknown = sorted(set(value) - known)
    if unknown or ("world" in value) == ("text" in value):
        raise UserError(
            f"A corpus recipe has the keys {', '.join(sorted(value))}; known are {', '.join(sorted(known))}.\n"
            "hint: give exactly one of world and text, and the three sizes."
        )
    sizes = {}
    for key in ("vocabulary_size", "n_tokens", "n_heldout"):
        size = value.get(key)
        if not isinstance(size, int) or size < 1:
            raise UserError(f"{key} of a corpus recipe is {size!r}.\nhint: give a whole number above zero.")
        sizes[key] = size
    source = value.get("world") or value.get("text") or {}
    wanted = {"seed"} if "world" in value else {"train", "validation"}
    if set(source) != wanted:
        raise UserError(
            f"The source of a corpus recipe has the keys {', '.join(sorted(source)) or '(none)'}; "
            f"it needs {', '.join(sorted(wanted))}.\nhint: compare with the studies that come with the project."
        )
    if "world" in value:
        return Recipe(**sizes, source=World(int(source["seed"])))
    return Recipe(**sizes, source=Text(Path(source["train"]), Path(source["validation"])))


def train_word_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Train a tokenizer whose tokens are whole words; any other ASCII text falls apart into characters.

    A closed vocabulary keeps the embedding of a tiny model small. The alphabet of printable ASCII and the newline
    comes first, then words by frequency.
    """
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = [splitter.pre_tokenize_str(chr(code))[0][0] for code in [10, *range(32, 127)]]
    counter = Tokenizer(models.WordLevel())
    counter.pre_tokenizer = splitter
    counter.train_from_iterator(texts, trainers.WordLevelTrainer(vocab_size=vocabulary_size, show_progress=False))
    words = sorted(counter.get_vocab().items(), key=lambda entry: entry[1])
    tokens = list(dict.fromkeys([END_OF_TEXT, PADDING, *alphabet, *(word for word, _ in words)]))
    vocabulary = {token: index for index, token in enumerate(tokens[:vocabulary_size])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = splitter
    return tokenizer


def train_piece_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Train byte-level BPE (Sennrich et al. 2016, over bytes as GPT-2 does)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[END_OF_TEXT, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def world_vocabulary_texts(seed: int) -> Iterator[str]:
    """Give documents, then answered training rows of every task in every format, so that no word is missing."""
    yield from itertools.islice(documents(seed), N_TOKENIZER_DOCUMENTS)
    for task in TASKS:
        for row in rows(task, n=200, split="train", seed=seed):
            for format_ in FORMAT_SHARES:
                yield f"{prompt_text(task, row, format_)} {answer_text(task, row)}"


def make_tokenizer(recipe: Recipe, training_texts: Iterable[str]) -> Tokenizer:
    """Train the tokenizer of a corpus; its end-of-text token is number 0."""
    if isinstance(recipe.source, World):
        tokenizer = train_word_tokenizer(world_vocabulary_texts(recipe.source.seed), recipe.vocabulary_size)
    else:
        tokenizer = train_piece_tokenizer(training_texts, recipe.vocabulary_size)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (END_OF_TEXT, PADDING)])
    return tokenizer


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `AutoTokenizer.from_pretrained` loads."""
    folder.mkdir(parents=True)
    # what a document begins with in the stream, a text begins with for whoever loads the tokenizer
    start = (END_OF_TEXT, tokenizer.token_to_id(END_OF_TEXT))
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END_OF_TEXT} $A", special_tokens=[start])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": PADDING,
        "clean_up_tokenization_spaces": False,  # a space before a full stop is part of the text
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def encode_stream(tokenizer: Tokenizer, texts: Iterable[str], n_tokens: int) -> tuple[np.ndarray, dict]:
    """Encode documents, an end-of-text token before each, until `n_tokens` tokens are there or the texts end.

    Returns the stream, shape (tokens,), in the smallest unsigned type that holds the vocabulary, and its numbers.
    """
    dtype = np.uint16 if tokenizer.get_vocab_size() <= 1 << 16 else np.uint32
    end = tokenizer.token_to_id(END_OF_TEXT)
    parts: list[np.ndarray] = []
    n_made = n_documents = n_bytes = 0
    texts = iter(texts)
    while n_made < n_tokens and (batch := list(itertools.islice(texts, 2000))):
        for text, encoding in zip(batch, tokenizer.encode_batch_fast(batch), strict=True):
            parts.append(np.array([end, *encoding.ids], dtype=dtype))
            n_made += len(parts[-1])
            n_documents += 1
            n_bytes += len(text.encode())
            if n_made >= n_tokens:
                break
    stream = np.concatenate(parts)[:n_tokens] if parts else np.zeros(0, dtype=dtype)
    numbers = {
        "n_documents": n_documents,
        "n_tokens": len(stream),
        "bytes_per_token": round(n_bytes / max(len(stream) - n_documents, 1), 3),
        "sha256": hashlib.sha256(stream.tobytes()).hexdigest(),
        "vocabulary_size": tokenizer.get_vocab_size(),
    }
    return stream, numbers


def heldout_texts(recipe: Recipe) -> list[str]:
    """Give the held-out documents, or passages spread evenly over the validation text."""
    if isinstance(recipe.source, World):
        return heldout_documents(recipe.n_heldout, recipe.source.seed)
    path = recipe.source.validation
    pieces = cut(read_text(path), PASSAGE_BYTES)
    if len(pieces) < recipe.n_heldout:
        raise UserError(
            f"The validation text {str(path)!r} has {len(pieces)} passages of {PASSAGE_BYTES} bytes; "
            f"{recipe.n_heldout} are required.\nhint: give a longer text or a smaller n_heldout."
        )
    return [pieces[i * len(pieces) // recipe.n_heldout] for i in range(recipe.n_heldout)]


def check_length(text: Text, n_tokens: int, *, wanted: int) -> None:
    """Raise UserError when a text would have to be repeated too often to give the wanted number of tokens."""
    if n_tokens * MOST_REPEATS < wanted:
        raise UserError(
            f"The text {str(text.train)!r} has {n_tokens} tokens; {wanted} are required, more than "
            f"{MOST_REPEATS} times as many.\nhint: give a longer text, or fewer steps of pre-training."
        )
