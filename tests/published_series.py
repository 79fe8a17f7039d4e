"""The series of a study that takes a published run."""

from pathlib import Path

from nursery import tuned_nursery

from ripeness.study.series import name_checkpoints

ROOT = Path(__file__).parents[1]

CONFIG = tuned_nursery()

NO_LOCK = {"models": {}, "datasets": {}}


def series(lock=NO_LOCK, **settings):
    return name_checkpoints("mine", {"seed": 0} | settings, lock)
