import json

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer

from build_corpus import main
from ripeness.data.corpus import END_OF_TEXT, read_recipe
from ripeness.data.nursery.tasks import answer_text, prompt_text
from ripeness.data.nursery.world import TASKS, rows
from ripeness.data.passages import DOCUMENT_BYTES, cut, read_text
from ripeness.runtime.errors import UserError

WORLD = {"world": {"seed": 0}, "vocabulary_size": 512, "n_tokens": 20_000, "n_heldout": 10}


def build(recipe, folder):
    main(["--recipe", json.dumps(recipe), "--output", str(folder)])
    return folder


@pytest.fixture(scope="module")
def world_corpus(tmp_path_factory):
    return build(WORLD, tmp_path_factory.mktemp("corpus") / "world")


@pytest.fixture(scope="module")
def tokenizer(world_corpus):
    return Tokenizer.from_file(str(world_corpus / "tokenizer" / "tokenizer.json"))


def encode(tokenizer, text):
    """Tokens without the one that starts a document."""
    return tokenizer.encode(text, add_special_tokens=False).ids


@pytest.fixture
def texts(tmp_path):
    lines = [f"Line {i} of a plain text, as café as any; it goes on for {i * i % 97} words.\n" for i in range(900)]
    (tmp_path / "train.txt").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "validation.txt").write_text("".join(lines[:100]), encoding="utf-8")
    return {"train": str(tmp_path / "train.txt"), "validation": str(tmp_path / "validation.txt")}


def test_every_word_of_every_task_is_one_token(tokenizer):
    for task in TASKS:
        for row in rows(task, n=50, split="test", seed=0):
            text = f"{prompt_text(task, row, 'default')} {answer_text(task, row)}"
            n_newlines = text.count("\n")
            assert len(encode(tokenizer, text)) == len(text.split()) + n_newlines


def test_prompt_and_answer_are_the_same_tokens_together_and_apart(tokenizer):
    for task in TASKS:
        for row in rows(task, n=20, split="test", seed=0):
            for format_ in ("default", "io", "instruct"):
                prompt, answer = prompt_text(task, row, format_), " " + answer_text(task, row)
                together = encode(tokenizer, prompt + answer)
                assert together == encode(tokenizer, prompt) + encode(tokenizer, answer)


def test_any_ascii_text_survives_the_tokenizer_of_the_world(tokenizer):
    text = "".join(chr(code) for code in range(32, 127)) + "\nQuite another text; 42% of it.\n\n"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_stream_has_the_tokens_asked_for_and_an_end_of_text_before_each_document(world_corpus, tokenizer):
    stream = np.load(world_corpus / "train.npy")
    numbers = json.loads((world_corpus / "corpus.json").read_text())
    assert stream.dtype == np.uint16
    assert len(stream) == numbers["n_tokens"] == 20_001
    end = tokenizer.token_to_id(END_OF_TEXT)
    assert stream[0] == end
    assert (stream == end).sum() == numbers["n_documents"]
    assert numbers["vocabulary_size"] == tokenizer.get_vocab_size() <= 512


def test_heldout_has_items_and_texts(world_corpus):
    heldout = pl.read_parquet(world_corpus / "heldout.parquet")
    assert heldout.columns == ["item", "text"]
    assert heldout["item"].n_unique() == len(heldout) == 10


def test_same_recipe_gives_the_same_corpus(world_corpus, tmp_path):
    other = build(WORLD, tmp_path / "again")
    assert (other / "corpus.json").read_text() == (world_corpus / "corpus.json").read_text()
    name = "tokenizer/tokenizer.json"
    assert (other / name).read_text() == (world_corpus / name).read_text()


def test_text_files_become_a_byte_level_corpus(texts, tmp_path):
    recipe = {"text": texts, "vocabulary_size": 400, "n_tokens": 5000, "n_heldout": 8}
    corpus = build(recipe, tmp_path / "corpus")
    tokenizer = Tokenizer.from_file(str(corpus / "tokenizer" / "tokenizer.json"))
    heldout = pl.read_parquet(corpus / "heldout.parquet")["text"].to_list()
    assert len(np.load(corpus / "train.npy")) == 5001
    assert len(heldout) == 8
    assert all(tokenizer.decode(tokenizer.encode(text).ids) == text for text in [*heldout, "日本 \t"])


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfA line.\n")
    assert read_text(tmp_path / "a.txt") == "A line.\n"


def test_text_is_cut_at_line_ends():
    pieces = cut("a line\n" * 2000, DOCUMENT_BYTES)
    assert all(piece.endswith("a line") for piece in pieces)
    assert all(DOCUMENT_BYTES - 1 <= len(piece) < DOCUMENT_BYTES + 7 for piece in pieces)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_tokens": 10_000_000}, "10000000 are required"),
        ({"n_heldout": 1000}, "1000 are required"),
        ({"vocabulary_size": 0}, "vocabulary_size"),
        ({"world": {"seed": 0}}, "exactly one"),
        ({"size": 3}, "size"),
    ],
)
def test_recipe_that_cannot_be_met_is_reported_to_the_user(change, message, texts, tmp_path):
    recipe = {"text": texts, "vocabulary_size": 400, "n_tokens": 5000, "n_heldout": 8}
    with pytest.raises(UserError, match=message):
        build(recipe | change, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_missing_text_is_named(texts, tmp_path):
    recipe = {"text": texts | {"train": "no/such.txt"}, "vocabulary_size": 400, "n_tokens": 50, "n_heldout": 8}
    with pytest.raises(UserError, match="no/such.txt"):
        build(recipe, tmp_path / "corpus")


def test_source_without_its_keys_is_reported_to_the_user():
    with pytest.raises(UserError, match="validation"):
        read_recipe({"text": {"train": "x"}, "vocabulary_size": 400, "n_tokens": 50, "n_heldout": 8})
