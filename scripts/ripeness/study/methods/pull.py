"""Define the setting of a kind whose weights can be pulled towards the checkpoint (L2-SP)."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """Strength of the pull towards the checkpoint; None for no pull."""

    pull: float | None = None


KEYS = {
    "pull": {
        "description": (
            "Strength of the pull towards the checkpoint (L2-SP, arXiv 1802.01483). Half of it times the squared "
            "distance of the weights is added to the loss."
        ),
        "exclusiveMinimum": 0,
        "maximum": 1000000,
    }
}
