"""Toy tokenizers of the kinds that published models have."""

import json
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

END, START = "<|end|>", "<s>"
SIGNS_OF_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
# How GPT-4 and Llama 3 cut text into words: a sign before letters and line ends after signs belong to one word.
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT = [
    'is it so? "yes" or (yes) or [no], {yes}: the answer is yes.\nyes\n\nno\r\nno\tyes  no-yes 7 42 420 7421',
    "Answer: yes\nAnswer: no\n\nQ: is it?\nA:\nyes it is.\n(no)\n日本語 日本 🙂!🙂 caf\u00e9 cafe\u0301s 'yes' l'oui",
    "Summary:\nno\nSummary:\nyes it is\n\n",
]
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)
NO_WORDS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
LINES = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K), "isolated"), NO_WORDS])
# Numbers are cut into groups of three from their end, as some models of 2025 do.
GROUPS = r"\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))"
FROM_RIGHT = pre_tokenizers.Sequence(
    [pre_tokenizers.Split(Regex(CL100K.replace(r"\p{N}{1,3}", GROUPS)), "isolated"), NO_WORDS]
)
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTES])
NO_ACCENTS = [normalizers.NFD(), normalizers.StripAccents()]


def byte_level(words, *, normalizer=None, after=None) -> Tokenizer:
    """A byte-level BPE tokenizer with some way to cut text into words."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = words, decoders.ByteLevel()
    if normalizer:
        made.normalizer = normalizer
    if after:
        made.post_processor = after
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = [END, START]
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(TEXT * 9, trainer)
    return made


def metaspace(prepend) -> Tokenizer:
    """A BPE tokenizer with a sign for the space, which stands before every word, the first one or none."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend)
    made.decoder = decoders.Metaspace(prepend_scheme=prepend)
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", END, START], show_progress=False)
    made.train_from_iterator(TEXT * 9, trainer)
    return made


def with_bytes(learned: Tokenizer, parts: list, **settings) -> Tokenizer:
    """A tokenizer that writes unknown signs as bytes, which are no added tokens."""
    state = json.loads(learned.to_str())
    state["model"] |= {"byte_fallback": True} | settings
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    made = Tokenizer.from_str(json.dumps(state))
    made.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), *parts]
    )
    return made


def sentencepiece_with_bytes() -> Tokenizer:
    """A tokenizer as that of Llama 2: no words, a sign for the space put before every text, bytes for unknown signs."""
    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    learned.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    special = ["<unk>", END, START, *SIGNS_OF_BYTES]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, limit_alphabet=60, show_progress=False, max_token_length=6
    )
    learned.train_from_iterator(TEXT * 9, trainer)
    return with_bytes(learned, [decoders.Strip(" ", 1, 0)], fuse_unk=True)


def gemma() -> Tokenizer:
    """A tokenizer as that of Gemma: nothing put before a text, line ends among the added tokens, bytes."""
    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    learned.normalizer = normalizers.Replace(" ", "\u2581")
    learned.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    special = ["<unk>", END, START, *SIGNS_OF_BYTES]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, limit_alphabet=60, show_progress=False, max_token_length=6
    )
    learned.train_from_iterator(TEXT * 9, trainer)
    made = with_bytes(learned, [], fuse_unk=True)
    made.add_tokens(["\n\n", "  "])
    return made


def unigram_with_bytes() -> Tokenizer:
    """A Unigram tokenizer that writes unknown signs as bytes, also such as a longer piece has."""
    learned = Tokenizer(models.Unigram())
    learned.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    special = ["<unk>", END, START, *SIGNS_OF_BYTES]
    trainer = trainers.UnigramTrainer(vocab_size=420, special_tokens=special, unk_token="<unk>", show_progress=False)
    learned.train_from_iterator([text.replace("🙂", "").replace("日", "") for text in TEXT * 9], trainer)
    return with_bytes(learned, [])


def wordpiece() -> Tokenizer:
    """A tokenizer as BERT's: lower case, words between spaces and signs, pieces that go on with a word are marked."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]", END, START], show_progress=False)
    made.train_from_iterator(TEXT * 9, trainer)
    return made


def unigram() -> Tokenizer:
    """A Unigram tokenizer as those of T5 and XGLM."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    special = ["<unk>", END, START]
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=special, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(TEXT * 9, trainer)
    return made


def starting(single: str = f"{START} $A") -> Tokenizer:
    """A tokenizer whose texts begin, or end, with a token of their own."""
    made = byte_level(LINES)
    special = [(token, made.token_to_id(token)) for token in (START, END)]
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=special)
    return made


def with_added_tokens() -> Tokenizer:
    """A tokenizer with added tokens within words, at the end of lines, and for two spaces as GPT-NeoX has them."""
    made = byte_level(BYTES)
    made.add_tokens([AddedToken("ye", normalized=False), AddedToken("wer:", normalized=False), AddedToken("  ")])
    return made


KINDS = {
    "gpt2": lambda: byte_level(BYTES),
    "gpt2 whose places leave out spaces": lambda: byte_level(BYTES, after=processors.ByteLevel(trim_offsets=True)),
    "cl100k": lambda: byte_level(LINES),
    "digits": lambda: byte_level(DIGITS),
    "digits from the right": lambda: byte_level(FROM_RIGHT),
    "a space put first": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "metaspace always": lambda: metaspace("always"),
    "metaspace first": lambda: metaspace("first"),
    "metaspace never": lambda: metaspace("never"),
    "llama 2": sentencepiece_with_bytes,
    "wordpiece": wordpiece,
    "unigram": unigram,
    "unigram with bytes": unigram_with_bytes,
    "gemma": gemma,
    "merges over spaces": lambda: byte_level(NO_WORDS),
    "a start": starting,
    "an end": lambda: starting(f"$A {END}"),
    "nfc": lambda: byte_level(LINES, normalizer=normalizers.NFC()),
    "lower case": lambda: byte_level(BYTES, normalizer=normalizers.Lowercase()),
    "no accents": lambda: byte_level(BYTES, normalizer=normalizers.Sequence(NO_ACCENTS)),
    "added tokens": with_added_tokens,
}


@cache
def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a kind."""
    return PreTrainedTokenizerFast(tokenizer_object=KINDS[kind](), eos_token=END)
