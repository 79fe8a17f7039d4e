"""A task with invented rows and fetched files, for the tests of items and rows."""

from drawn_items import task  # noqa: F401 (fixtures)
from fetched_rows import fetch  # noqa: F401 (fixtures)
