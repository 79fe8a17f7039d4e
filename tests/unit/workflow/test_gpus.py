"""What a study takes on a named GPU, where nothing has run: published peaks and a stated share of them."""

from argparse import Namespace
from pathlib import Path

import pytest

import forecast
from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow.gpus import GPUS, SHARES, named_gpu

STUDY = load_study(read_yaml(ROOT / "studies/amuro-char.yaml"), ROOT / "tasks")
OPTIONS = {"study": Path("x.yaml"), "gpu": "H100", "flops": None, "start_seconds": 0.0}


def hours(**options):
    """GPU hours of all trainings and predictions, at least and at most."""
    prices, has_run = forecast.prices_of(STUDY, Namespace(**OPTIONS | options), Path("nowhere"))
    assert not has_run
    jobs = {rule: len(places) for rule, places in forecast.operations_of(STUDY).items()}
    return [sum(jobs[rule] * price[rule] for rule in jobs) / 3600 for price in prices]


def test_hours_are_operations_over_the_share_of_the_published_peak():
    operations = sum(n for places in forecast.operations_of(STUDY).values() for n in places.values())
    low, high = hours()
    assert low == pytest.approx(operations / (0.3 * 989e12) / 3600) and high == pytest.approx(3 * low)
    assert hours(gpu="a100")[0] == pytest.approx(low * 989 / 312)
    assert hours(flops=1e13) == pytest.approx([operations / 1e13 / 3600] * 2)


def test_what_is_published_is_in_one_unit():
    assert all(1e13 < gpu.flops < 1e16 and 50 <= gpu.watts <= 1500 for gpu in GPUS.values())
    assert 0 < SHARES[0] < SHARES[1] < 1


def test_another_name_is_refused_with_the_choices():
    with pytest.raises(UserError, match="unknown GPU 'H1000'; known are B200, .*\nhint: did you mean 'H100'"):
        named_gpu("H1000")


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.0123, 0.04, "0.012 to 0.04"), (25.2, 70.4, "25 to 70"), (3, 3, "3"), (0, 0, "0")]
)
def test_a_span_has_two_digits_that_count(low, high, said):
    assert forecast.span(low, high) == said
