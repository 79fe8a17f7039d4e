"""The invented study of tests/synthetic.py."""

from synthetic import synthetic_folder, synthetic_study  # noqa: F401 (fixtures)
