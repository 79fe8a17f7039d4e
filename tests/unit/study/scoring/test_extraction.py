"""The answer in a generated text, found by a pattern and compared with that of a right one."""

import pytest

from ripeness.runtime.errors import UserError
from ripeness.study.joined_sources import files_of, parts_of, splits_of
from ripeness.study.scoring.extraction import extracted, is_extracted_right

GSM8K = r"####\s*(-?[0-9.,]+)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("6*7=42\n#### 42", "42"),
        ("#### 1,234,567", "1234567"),
        ("####-5", "-5"),
        ("#### 2.50", "2.50"),
        ("#### 18.", "18"),
        ("#### 1,800, so it is", "1800"),
        ("#### 1,2,3", "1,2,3"),
        ("#### ...", "..."),
        ("#### 7\n\nQuestion: another\n#### 8", "7"),  # the first, as what follows is asked by the model itself
        ("42", None),
        ("#### none", None),
        ("", None),
    ],
)
def test_the_number_after_the_mark_is_found_and_loses_its_commas(text, found):
    assert extracted(text, GSM8K) == found


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("The answer is Paris, France.", r"answer is (.+)\.", "Paris, France"),  # commas of words stay
        ("so it is $1,200", r"is (\S+)", "1200"),
        ("so it is -$3.50.", r"is (\S+)", "-3.50"),
        ("in 1999, then", r"in (\S+)", "1999"),
        ("it is v1.2.3", r"is (\S+)", "v1.2.3"),
        ("it is 1.2.3", r"is (\S+)", "1.2.3"),
        ("A", r"(?:(A)|B)", "A"),
        ("B", r"(?:(A)|B)", None),
    ],
)
def test_other_answers_are_compared_as_they_are(text, pattern, found):
    assert extracted(text, pattern) == found


def test_an_answer_is_right_when_the_parts_agree():
    row = {"item": "x:1", "text": "it is so\n#### 1,000", "target": "500+500=1000\n#### 1000", "references": None}
    assert is_extracted_right(row, GSM8K)
    assert not is_extracted_right(row | {"text": "#### 1001"}, GSM8K)
    assert not is_extracted_right(row | {"text": "1000"}, GSM8K)
    assert is_extracted_right(row | {"references": ["#### 3", "#### 1000"]}, GSM8K)
    with pytest.raises(UserError, match=r"^item 'x:1': the pattern .* finds nothing in its right answer 'so'\nhint: "):
        is_extracted_right(row | {"references": ["#### 3", "so"]}, GSM8K)


def test_splits_and_files_are_joined_by_a_plus():
    assert splits_of("Easy + Hard") == splits_of("Easy+Hard") == ["Easy", "Hard"]
    assert files_of("c++/a.jsonl+d+e/b.csv +c.parquet") == ["c++/a.jsonl", "d+e/b.csv", "c.parquet"]
    assert files_of("c++/a.jsonl") == ["c++/a.jsonl"] and files_of("rows.json+") == ["rows.json", ""]
    assert parts_of({"train": "a+b", "github": "x/y"}, "a+b") == ["a", "b"]
    assert parts_of({"train": "a+b"}, "a+b") == ["a+b"]
