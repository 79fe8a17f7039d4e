"""The invented study of tests/synthetic.py."""

from synthetic import synthetic_study  # noqa: F401 (fixtures)
from synthetic_report import synthetic_folder  # noqa: F401 (fixtures)
