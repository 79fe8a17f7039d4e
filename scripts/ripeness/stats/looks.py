"""Share the allowed error of a test between looks at growing results."""

FIRST = 0.8  # of the allowed error, for the first look where no number of looks is planned


def share_of(look: int, planned: int | None = None) -> float:
    """Give the part of the allowed error that a look may spend; looks count from 1.

    Planned looks spend equal parts, and further ones nothing. Else the first spends 0.8, and the k-th 0.2/(k(k-1)):
    0.1, 0.033, 0.017, ... All of them together spend 1.
    """
    if planned:
        return 1 / planned if look <= planned else 0.0
    return FIRST if look == 1 else (1 - FIRST) / (look * (look - 1))
