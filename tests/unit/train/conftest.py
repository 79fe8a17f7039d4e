"""Ten examples, for the tests of training."""

from tuned_by_loop import encoded  # noqa: F401 (fixtures)
