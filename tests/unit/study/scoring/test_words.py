"""Words of any script: those of rouge-score for English, and words or characters where that one sees nothing."""

import random
import string
import unicodedata

import pytest
from rouge_score.tokenize import tokenize

from ripeness.measure.metrics import score_generation
from ripeness.study.scoring.words import is_unseen, words_of

COPIES = {
    "Погода сегодня хорошая": ["погода", "сегодня", "хорошая"],
    "天气很好": ["天", "气", "很", "好"],
    "コーヒーを飲む": ["コ", "ー", "ヒ", "ー", "を", "飲", "む"],
    "สวัสดี": ["ส", "วั", "ส", "ดี"],
    "ພາສາ": ["ພ", "າ", "ສ", "າ"],
    "ភាសា": ["ភា", "សា"],
    "မြန်မာ": ["မြ", "န်", "မာ"],
    "طقس جميل": ["طقس", "جميل"],
    "हिन्दी में": ["हिन्दी", "में"],
    "한국어 말": ["한국어", "말"],
    "می\u200cخواهم بروم": ["می\u200cخواهم", "بروم"],
    "Überfall, STRASSE und Straße": ["überfall", "strasse", "und", "strasse"],
    "iPhone 15 발표": ["iphone", "15", "발표"],
    "Tokyo東京2020": ["tokyo", "東", "京", "2020"],
    "❤️love it 👍🏽1️⃣": ["love", "it", "1\ufe0f\u20e3"],
}


@pytest.mark.parametrize(("text", "words"), COPIES.items())
def test_words_and_characters_of_all_scripts_are_seen(text, words):
    assert words_of(text) == words
    assert words_of(unicodedata.normalize("NFD", text)) == [unicodedata.normalize("NFC", word) for word in words]
    scored = score_generation({"target": text, "text": f" {text}. ".strip()}, words="any")
    assert scored["rouge_l"] == 1.0


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("🙂 🎉🎉", ["🙂", "🎉", "🎉"]),
        ("👩‍💻👍🏽 🇩🇪", ["👩‍💻", "👍🏽", "🇩🇪"]),
        ("❤️", ["❤️"]),
        ("=> !", ["=", ">", "!"]),
        (" \n", []),
        ("\u0301", ["\u0301"]),
    ],
)
def test_a_text_without_a_word_has_its_signs(text, signs):
    assert words_of(text) == signs and (is_unseen(text) or not signs)
    if signs:
        assert score_generation({"target": text, "text": text}, words="any")["rouge_l"] == 1.0
        assert score_generation({"target": text, "text": "word"}, words="any")["rouge_l"] == 0.0
        assert score_generation({"target": f"{text} word", "text": "word"}, words="any")["rouge_l"] == 1.0
        assert score_generation({"target": text, "text": text})["rouge_l"] == 0.0  # rouge-score's own


def test_words_of_english_are_those_of_rouge_score():
    draw = random.Random(0)
    for _ in range(500):
        text = "".join(draw.choices(string.printable, k=40))
        assert words_of(text) == tokenize(text, None)


def test_rouge_of_other_scripts_is_worked_out_by_hand():
    # 2 of 3 words in common, in order
    row = {"target": "кошка сидит дома", "text": "Кошка спит дома"}
    assert score_generation(row, words="any")["rouge_l"] == pytest.approx(2 / 3)
    assert score_generation(row)["rouge_l"] == 0.0  # what rouge-score's own tokenizer makes of it
    assert score_generation({"target": "天气很好", "text": "天很好"}, words="any")["rouge_l"] == pytest.approx(6 / 7)


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("погода в 2020", True),
        ("天气", True),
        ("über Ärger", False),
        ("Tiếng Việt có dấu", False),
        ("Путин met Biden", False),
        ("!!!", True),
        ("", False),
    ],
)
def test_a_text_is_unseen_if_most_of_its_words_have_no_letter_that_english_has(text, is_so):
    assert is_unseen(text) == is_so
