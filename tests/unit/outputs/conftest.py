"""A finished study for the tests of exports, queries and comparisons."""

from pathlib import Path

import pytest
from finished import finished_folder
from synthetic import synthetic_study  # noqa: F401


@pytest.fixture(scope="session")
def results(synthetic_study, tmp_path_factory) -> Path:  # noqa: F811
    """A finished study, which no test may change."""
    return finished_folder(tmp_path_factory.mktemp("results") / "nursery", synthetic_study)
