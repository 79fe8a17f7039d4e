"""The plan of the embedded study, for the tests of lookups."""

from planned_nursery import study  # noqa: F401 (fixtures)
