"""A copy of a checkpoint, for the tests of the gate."""

from changed_checkpoints import folder  # noqa: F401 (fixtures)
