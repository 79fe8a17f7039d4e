"""A single number of a table."""

import polars as pl
import pytest

from ripeness.tables.single_numbers import as_number


def test_a_statistic_of_a_column_is_a_number():
    assert as_number(pl.Series([1, 4]).max()) == 4.0
    assert as_number(pl.Series([1.0, 4.0]).mean()) == 2.5


@pytest.mark.parametrize("value", [None, "4", pl.Series([], dtype=pl.Float64).mean()])
def test_what_is_no_number_is_an_error(value):
    with pytest.raises(TypeError, match="a number is needed"):
        as_number(value)
