"""The invented study of tests/synthetic.py, and the simulated networks of tests/networks.py."""

from networks import networks  # noqa: F401 (fixtures)
from synthetic import synthetic_study  # noqa: F401 (fixtures)
from synthetic_report import synthetic_folder  # noqa: F401 (fixtures)
