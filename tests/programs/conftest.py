"""The loopback hub and what it publishes, for all tests of programs."""

from hub_fixtures import files, hub, server, waits  # noqa: F401
from synthetic import synthetic_folder, synthetic_study  # noqa: F401 (fixtures)
