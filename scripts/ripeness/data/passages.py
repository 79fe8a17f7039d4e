"""Running text from files, cut into documents and passages."""

from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import check_length

# Running text is cut at line ends into documents of about this many bytes, so that a model also learns to begin.
DOCUMENT_BYTES = 4000
# Held-out passages are short enough for the context window of a small model.
PASSAGE_BYTES = 500


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, or raise UserError."""
    try:
        if path.is_file():
            check_length(path)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"Cannot read the text {str(path)!r}: {error}.\nhint: the study names it; it must be a UTF-8 text file."
        ) from error
    if "\0" in text:
        raise UserError(f"the text {str(path)!r} contains NUL characters\nhint: it is damaged; copy it again")
    return text


def cut(text: str, size: int) -> list[str]:
    """Cut a text at line ends into pieces of at least `size` bytes; a shorter rest is dropped."""
    pieces, lines, n_bytes = [], [], 0
    for line in text.splitlines(keepends=True):
        lines.append(line)
        n_bytes += len(line.encode())
        if n_bytes >= size:
            pieces.append("".join(lines).strip("\n"))
            lines, n_bytes = [], 0
    return pieces


def evenly(text: str, n: int, *, where: str, name: str) -> list[dict[str, str]]:
    """Select `n` passages spread evenly over a text, named by number as `item`; UserError if it has fewer."""
    if n < 1:
        raise UserError(f"{n} passages are requested\nhint: give `items` of 1 or more under `texts`")
    pieces = cut(text, PASSAGE_BYTES)
    if len(pieces) < n:
        raise UserError(
            f"{where} has {len(pieces)} passages of {PASSAGE_BYTES} bytes, but {n} are requested\n"
            "hint: lower `items` under `texts`"
        )
    return [{"item": f"{name}-{i:05d}", "text": pieces[i * len(pieces) // n]} for i in range(n)]
