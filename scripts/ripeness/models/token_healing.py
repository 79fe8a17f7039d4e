"""Where text is to be written after a prompt: before the tokens that would be others if an answer followed.

A token at the end of a prompt may be the beginning of a longer one that spans prompt and answer: after `say "` a model
was trained on the token `"yes`. What is in doubt is left to be written again: the first new tokens must spell those
characters (token healing). What is in doubt is found by trying how the answers of a dataset begin, the same ones for
every item, so that nothing of an item's own answer is revealed.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from os.path import commonprefix
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from ripeness.models.tokens import encode, encode_pairs, encode_with_places

TAILS = (3, 4, 5, 6, 8, 12, 16, 24)  # tokens at the end of a prompt that are looked at
BEFORE = 8  # tokens before new ones that are turned into text with them
BEGINNING = 16  # characters of an answer that are tried
MOST = 2048  # beginnings that are tried
SPACE = "\u2581"  # stands for a space in SentencePiece
BYTE = re.compile("<0x([0-9A-F]{2})>")  # a token that stands for one byte in SentencePiece


@dataclass(frozen=True)
class Start:
    """Where writing starts: the tokens before it, and what of the prompt is to be written again, as tokens spell it.

    `again` begins with the mark of a word's middle where the tokenizer has one and the text goes on with a word;
    `n_again` is the number of tokens that it was in the prompt.
    """

    context: list[int]
    again: str = ""
    n_again: int = 0


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a tokenizer as strings.

    `stems` are in order, without the marks of a word's middle and end, `stem_of` has them by token; `special` tokens,
    the one for unknown signs too, are not among the stems. `settled` keeps what was found out about prompts.
    """

    stems: list[tuple[str, int]]
    stem_of: dict[int, str]
    special: frozenset[int]
    middle: str
    byte_of: dict[str, int]  # of the signs that stems are written in, where some tokens are bytes, else empty
    settled: dict[tuple[str, tuple[str, ...]], list[int]] = field(default_factory=dict)

    def spell(self, tokens: list[int]) -> str:
        """Join the stems of tokens: the same string for a text, however it is cut."""
        return "".join(self.stem_of[token] for token in tokens)

    def beginning_with(self, beginning: str) -> list[tuple[str, int]]:
        """Find all stems that begin with some characters, with their tokens."""
        first = bisect_left(self.stems, (beginning, -1))
        last = bisect_left(self.stems, (beginning + chr(0x10FFFF), -1), lo=first)
        return self.stems[first:last]

    def text(self, part: str) -> str:
        """Decode a part of a stem; empty where it is no whole character."""
        if not self.byte_of:
            return part.replace(SPACE, " ")
        try:
            return bytes(self.byte_of[sign] for sign in part).decode()
        except (KeyError, UnicodeDecodeError):
            return ""

    def with_stem(self, stem: str) -> list[int]:
        """Find the tokens of one stem."""
        first = bisect_left(self.stems, (stem, -1))
        last = bisect_left(self.stems, (stem + "\0", -1), lo=first)
        return [token for _, token in self.stems[first:last]]

    def spelled(self, text: str) -> list[int]:
        """Find the tokens that may come next when a text, and perhaps more, is to be spelled."""
        stem = text.removeprefix(self.middle)
        is_spelled: dict[int, bool] = {}  # by place in the stem: whether tokens spell the rest of it
        for place in range(len(stem) - 1, 0, -1):
            is_spelled[place] = bool(self.beginning_with(stem[place:])) or any(
                is_spelled[end] and self.with_stem(stem[place:end]) for end in range(place + 1, len(stem))
            )
        parts = [self.with_stem(stem[:end]) for end in range(1, len(stem)) if is_spelled[end]]
        return [token for _, token in self.beginning_with(stem)] + [token for part in parts for token in part]


KNOWN: WeakKeyDictionary[PreTrainedTokenizerBase, Vocabulary] = WeakKeyDictionary()


def vocabulary(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    """Read the tokens of a tokenizer as strings, once."""
    if tokenizer not in KNOWN:
        model, added = tokenizer.backend_tokenizer.model, tokenizer.added_tokens_decoder
        decoder = str(tokenizer.backend_tokenizer.decoder)
        is_byte_level, has_bytes = "ByteLevel" in decoder, "ByteFallback" in decoder
        byte_of = byte_signs() if is_byte_level or has_bytes else {}
        middle = getattr(model, "continuing_subword_prefix", None) or ""
        end = getattr(model, "end_of_word_suffix", None) or ""
        sign_of = {byte: sign for sign, byte in byte_of.items()}

        def signs(word: str) -> str:
            return "".join(sign_of[byte] for byte in word.encode())

        def stem(word: str, token: int) -> str:
            if token not in added and has_bytes and (byte := BYTE.fullmatch(word)):
                return sign_of[int(byte[1], 16)]
            if token not in added:
                word = word.removeprefix(middle).removesuffix(end)
                return word if is_byte_level or not byte_of else signs(word.replace(SPACE, " "))
            return signs(word) if byte_of else word.replace(" ", SPACE)

        stem_of = {token: stem(word, token) for word, token in tokenizer.get_vocab().items()}
        unknown = {getattr(model, "unk_token", None), tokenizer.unk_token} - {None}
        special = frozenset(
            [token for token, content in added.items() if content.special]
            + [token for token in map(tokenizer.backend_tokenizer.token_to_id, unknown) if token is not None]
        )
        stems = sorted((text, token) for token, text in stem_of.items() if text and token not in special)
        KNOWN[tokenizer] = Vocabulary(stems, stem_of, special, middle, byte_of)
    return KNOWN[tokenizer]


def byte_signs() -> dict[str, int]:
    """Map each character of a byte-level vocabulary to its byte: printable ones to themselves, then the others."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


def beginnings(answers: Iterable[str], most: int = MOST) -> tuple[str, ...]:
    """List how answers begin, each once and in order; of very many, at most so many, spread evenly."""
    found = sorted({answer[:BEGINNING] for answer in answers if answer})
    return tuple(found[:: -(-len(found) // most) or 1])


def starts(tokenizer: PreTrainedTokenizerBase, prompts: list[str], begun: tuple[str, ...]) -> list[Start]:
    """Find where the answer to each prompt starts, if answers begin in these ways (see `beginnings`)."""
    texts = list(dict.fromkeys(prompts))
    encoded = dict(zip(texts, encode_with_places(tokenizer, texts), strict=True)) if texts else {}
    return [start_after(tokenizer, text, begun, *encoded[text]) for text in prompts]


def start_after(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    begun: tuple[str, ...],
    tokens: list[int],
    places: list[tuple[int, int]],
) -> Start:
    """Find where the answer to one prompt starts."""
    known = vocabulary(tokenizer)
    tails = [text[places[-n][0] :] for n in TAILS if n < len(tokens)]
    for tail in [*tails, text]:  # the shortest whose tokens are those of the whole, and of which one stays
        (end,) = encode(tokenizer, [tail])
        if tail != text and not is_end(tokens, end):
            continue
        if (tail, begun) not in known.settled:
            known.settled[tail, begun] = settled(tokenizer, tail, begun, end)
        kept = known.settled[tail, begun]
        if kept:
            break
    if not known.special.isdisjoint(end[len(kept) :]):  # unknown signs may join, but nothing can be written for them
        return Start(tokens)
    again = known.spell(end)[len(known.spell(kept)) :]
    if again and known.middle and kept == end[: len(kept)]:
        word = tokenizer.convert_ids_to_tokens(end[len(kept)])
        again = known.middle + again if word.startswith(known.middle) else again
    n_again = len(end) - len(kept) if again else 0
    return Start([*tokens[: len(tokens) - len(end)], *kept], again, n_again)


def is_end(tokens: list[int], end: list[int]) -> bool:
    """Return whether tokens end with other tokens."""
    return bool(end) and tokens[-len(end) :] == end


def settled(tokenizer: PreTrainedTokenizerBase, text: str, begun: tuple[str, ...], tokens: list[int]) -> list[int]:
    """Find the first tokens of a text that are the same before every answer."""
    if not text or not begun:
        return tokens
    found = encode_pairs(tokenizer, [(text, beginning) for beginning in begun])
    return list(commonprefix([context for context, _ in found]))


def allowed(tokenizer: PreTrainedTokenizerBase, again: str) -> list[int]:
    """List the tokens that may come next while `again` must still be written; none where no tokens spell it."""
    known = vocabulary(tokenizer)
    found = known.spelled(again)
    if known.middle:
        in_word, words = again.startswith(known.middle), tokenizer.convert_ids_to_tokens(found)
        found = [t for t, word in zip(found, words, strict=True) if word.startswith(known.middle) == in_word]
    return found


def still_to_write(tokenizer: PreTrainedTokenizerBase, again: str, token: int) -> str:
    """Return what must still be written after an allowed token."""
    known = vocabulary(tokenizer)
    rest = again.removeprefix(known.middle)[len(known.stem_of[token]) :]
    return known.middle + rest if rest else ""


def again_text(tokenizer: PreTrainedTokenizerBase, start: Start | None) -> str:
    """Decode the characters of the prompt that must be written again."""
    if start is None or not start.again:
        return ""
    known = vocabulary(tokenizer)
    spelled = start.again.removeprefix(known.middle)
    return known.text(spelled) or spelled


def text_after(tokenizer: PreTrainedTokenizerBase, start: Start, tokens: list[int]) -> str:
    """Decode new tokens without the characters of the prompt that they repeat."""
    if not start.again:
        return text_of(tokenizer, tokens)
    repeated = again_text(tokenizer, start)
    text = continuation_text(tokenizer, start.context[-BEFORE:], tokens)
    return text.removeprefix(repeated) if text.startswith(repeated) else text.lstrip().removeprefix(repeated.strip())


def continuation_text(tokenizer: PreTrainedTokenizerBase, context: list[int], answer: list[int]) -> str:
    """Decode an answer as it follows its context; its leading space stays."""
    return text_of(tokenizer, [*context, *answer])[len(text_of(tokenizer, context)) :]


def text_of(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    """Decode tokens, special ones too; a number that is no token, as of padded rows, becomes U+FFFD."""
    parts: list[list[int]] = [[]]
    for token in tokens:
        if tokenizer.convert_ids_to_tokens(token) is None:
            parts.append([])
        else:
            parts[-1].append(token)
    decode = tokenizer.backend_tokenizer.decode
    return "\ufffd".join(decode(part, skip_special_tokens=False) for part in parts)
