"""Ten examples and a corpus, for the tests of training."""

from pretrained_states import corpus  # noqa: F401 (fixtures)
from tuned_by_loop import encoded  # noqa: F401 (fixtures)
