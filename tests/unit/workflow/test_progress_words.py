"""Stages and ranges of times in words."""

import re

import pytest

from ripeness.runtime.project import ROOT
from ripeness.workflow.progress_words import STAGE, Range, by_stage, plan_words, range_of_times, stage_words


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (3.0, 4.0, "5 s"),
        (12, 61, "10-60 s"),
        (80, 300, "1-5 min"),
        (900, 1500, "15-25 min"),
        (3000, 9000, "0.8-2.5 h"),
        (9e4, 2e5, "25-56 h"),
        (9e6, 9.1e7, "2,500-25,278 h"),
    ],
)
def test_a_range_has_the_unit_of_its_upper_end(low, high, said):
    assert range_of_times(Range((low + high) / 2, low, high)) == said


def test_stages_at_work_are_named_and_finished_ones_are_not():
    total = by_stage([("prepare_items", 3), ("train_model", 216), ("predict", 200), ("score", 241), ("collect", 1)])
    assert plan_words(total) == "661 jobs (3 preparing, 216 tuning, 441 measuring, 1 reporting)"
    done = by_stage([("prepare_items", 3), ("train_model", 12), ("predict", 3)])
    assert stage_words(done, total) == "tuning 12/216  measuring 3/441"
    assert stage_words(by_stage([]), total) == "preparing 0/3" and stage_words(total, total) == ""
    assert plan_words(by_stage([("collect", 1)])) == "1 job (1 reporting)"


def test_every_rule_that_a_stage_names_exists():
    rules = {
        name for path in (ROOT / "rules").glob("*.smk") for name in re.findall(r"^rule (\w+):", path.read_text(), re.M)
    }
    assert rules >= STAGE.keys()
