"""A task with invented rows, for the tests of items."""

from drawn_items import task  # noqa: F401 (fixtures)
