"""The plan of the embedded study, and wildcards, for the tests of lookups."""

import copy
from types import SimpleNamespace

import pytest
from nursery import ROOT, tuned_nursery

from ripeness.study.load import load_study

CONFIG = tuned_nursery()
RESULTS = "results/nursery"


def study_of(**change):
    """Plan the study with changed keys."""
    return load_study(copy.deepcopy(CONFIG) | change, ROOT / "tasks")


@pytest.fixture(scope="module")
def study():
    """Plan the study as it is."""
    return study_of()


def asked(**wildcards):
    """Make wildcards."""
    return SimpleNamespace(**wildcards)
