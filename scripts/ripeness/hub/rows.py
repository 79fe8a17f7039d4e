"""Rows of a published dataset with their pictures, which may lie in another configuration of it."""

from typing import TYPE_CHECKING, Any

from ripeness.hub.client import dataset_split
from ripeness.runtime.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset


def published_rows(source: dict[str, Any], split: str) -> list[dict[str, Any]]:
    """Return the rows of one split; a picture is {bytes, path}, as it was published, and is not decoded.

    `source` is that of the task file, with `image`, the column of pictures, where there is one.
    """
    column, elsewhere = source.get("image"), source.get("images")
    table = dataset_split(source["hub"], source.get("config"), split, source)
    if not column:
        return table.to_list()
    if not elsewhere:
        return undecoded(table, column).to_list()
    pictures = undecoded(dataset_split(source["hub"], elsewhere["config"], split, source), column)
    check_column(source["hub"], elsewhere["config"], pictures, elsewhere["id"])
    check_column(source["hub"], source.get("config"), table, elsewhere["by"])
    found = dict(zip(pictures[elsewhere["id"]], pictures[column], strict=True))
    return [row | {column: found.get(row[elsewhere["by"]])} for row in table.to_list()]


def undecoded(table: "Dataset", column: str) -> "Dataset":
    """Leave the pictures of a table as they were published; a column of another type stays as it is."""
    import datasets

    if isinstance(table.features.get(column), datasets.Image):
        return table.cast_column(column, datasets.Image(decode=False))
    return table


def check_column(name: str, config: str | None, table: "Dataset", column: str) -> None:
    """Refuse a table without a column that pictures are found by."""
    if column not in table.column_names:
        raise UserError(
            f"the dataset {name}, configuration {config}, has no column {column!r}; it has "
            f"{', '.join(table.column_names)}\nhint: set `id` and `by` of source.images"
        )
