"""The kinds of virtual tokens."""

from virtual_tokens import encoded, name  # noqa: F401 (fixtures)
