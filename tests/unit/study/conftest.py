"""A checkpoint whose weights tests change."""

from compared_weights import folder  # noqa: F401 (fixtures)
