"""The answer in a generated text, such as the number after `####`, compared with that in a right text."""

import re
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.equal_options import composed
from ripeness.study.user_patterns import PatternError, search

NUMBER = re.compile(r"(?=.*\d)[-+]?(\d{1,3}(,\d{2,3})+|\d*)(\.\d+)?", flags=re.ASCII)


def extracted(text: str, pattern: str) -> str | None:
    """Find the first match of the pattern's group, stripped of white space; None without a match.

    What reads as a number loses the commas between its digits, a currency sign, and a full stop or comma at its end, as
    lm-evaluation-harness has it for gsm8k. UserError for a pattern that takes too long.
    """
    try:
        match = search(pattern, text)
    except PatternError as error:
        raise UserError(f"{error}\nhint: fix `extract` of the task; nested repetitions take the longest") from None
    if match is None or match[1] is None:
        return None
    found = match[1].strip()
    bare = re.sub(r"[$€£]", "", found).rstrip(".,")
    return bare.replace(",", "") if NUMBER.fullmatch(bare) else found


def is_extracted_right(row: dict[str, Any], pattern: str) -> bool | None:
    """Return whether the extracted answer is that of a right text, in Unicode's composed form.

    None where there is no text; UserError where the right ones have no answer.
    """
    if row["text"] is None:
        return None
    references = row.get("references") or [row["target"]]
    right = set()
    for reference in references:
        if (answer := extracted(reference, pattern)) is None:
            raise UserError(
                f"item {row.get('item')!r}: the pattern {pattern!r} finds nothing in its right answer "
                f"{reference[-60:]!r}\nhint: fix `extract` of the task, or the row"
            )
        right.add(composed(answer))
    found = extracted(row["text"], pattern)
    return found is not None and composed(found) in right
