"""Put what is made from results into a page that is written by hand."""

from pathlib import Path

from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_text, whole


def put_between(path: Path, name: str, text: str) -> None:
    """Replace what stands between the lines `<!-- name -->` and `<!-- end of name -->`; UserError if it cannot be."""
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    page = read_text(path)
    if (page.count(first), page.count(last)) != (1, 1) or page.index(first) > page.index(last):
        raise UserError(
            f"{path} has not one line {first} before one line {last}\nhint: write both where the table is to be"
        )
    start, end = page.index(first) + len(first), page.index(last)
    with whole(path) as temporary:
        temporary.write_text(f"{page[:start]}\n{text}\n{page[end:]}", encoding="utf-8")
