"""A finished study for the tests of exports, queries and comparisons."""

from pathlib import Path

import pytest
from finished import finished_folder
from synthetic import synthetic_study  # noqa: F401


@pytest.fixture(scope="session")
def results(synthetic_study, tmp_path_factory) -> Path:  # noqa: F811
    """A finished study, which no test may change, in a folder whose name looks like a pattern."""
    return finished_folder(tmp_path_factory.mktemp("[2] results") / "nursery", synthetic_study)
