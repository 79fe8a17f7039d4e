"""Read a single number from a table, where types say only that it is some value."""

from numbers import Real


def as_number(value: object) -> float:
    """Return a value of a table, or a statistic of a column, as a float; TypeError where it is no number."""
    if not isinstance(value, Real):
        raise TypeError(f"a number is needed, not {value!r}")
    return float(value)
