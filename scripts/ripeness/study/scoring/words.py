"""Words of any script, for ROUGE-L of texts that are not English.

The tokenizer of rouge-score keeps a to z and 0 to 9 alone, so that an exact copy of a Russian or Chinese text has 0.
"""

import regex

from ripeness.study.equal_options import composed

# Scripts that are written without spaces between words, and the sound marks that two of them share.
UNSPACED = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tai_Le}\p{New_Tai_Lue}"
    r"\p{Tai_Tham}\p{Tai_Viet}\p{Javanese}\p{Balinese}\u30fc\uff70"
)
JOINERS = r"\u200c\u200d"  # invisible signs within words of Persian and of scripts of India
FIRST = rf"[[\p{{L}}\p{{N}}]--[{UNSPACED}]]"  # no mark: the one after a heart makes it an emoji
REST = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]"
WORD = regex.compile(
    rf"[[{UNSPACED}]&&[\p{{L}}\p{{N}}]]\p{{M}}*"  # one character with its marks
    rf"|{FIRST}{REST}*(?:[{JOINERS}]+{REST}+)*",
    regex.VERSION1,
)
SIGN = regex.compile(r"(?!\s)\X")  # one as it is seen: an emoji with its colour of skin, a flag
SEEN = regex.compile("[a-z0-9]")  # what rouge-score's own tokenizer keeps


def words_of(text: str) -> list[str]:
    """Split into words of letters, marks and digits without case; characters in scripts without spaces.

    Of English text they are those of rouge-score's tokenizer. Of a text that has none, such as one of emoji, they are
    its signs, so that a copy of it has them all.
    """
    text = composed(composed(text).casefold())
    return WORD.findall(text) or SIGN.findall(text)


class AnyWords:
    """What rouge-score takes as a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        """Split a text into words."""
        return words_of(text)


def is_unseen(text: str) -> bool:
    """Return whether the tokenizer of rouge-score ignores most words of a text."""
    words = words_of(text)
    return 2 * sum(not SEEN.search(word) for word in words) > len(words)
