"""A folder with a program, for the tests of warm starts."""

from warm_jobs import folder  # noqa: F401 (fixtures)
