"""Paces begin with the expected costs and follow what jobs take; one odd job or a cold disk moves them little."""

import random
from math import log

import pytest

from ripeness.workflow.job_speeds import Paces


def learned(*jobs, paces=None):
    """Paces after jobs (rule, cost, seconds), one after the other."""
    paces = paces or Paces()
    for rule, cost, seconds in jobs:
        paces.learn(rule, cost, seconds, at=(paces.at or 0.0) + seconds)
    return paces


def test_without_a_job_costs_are_seconds():
    assert Paces().of("a") == 1.0


@pytest.mark.parametrize("slow", [0.25, 1.0, 4.0, 10.0])
def test_the_pace_of_a_machine_is_known_after_a_dozen_jobs_for_rules_that_have_not_run_too(slow):
    paces = learned(*[(rule, 2.0, 2.0 * slow) for _ in range(4) for rule in "abc"])
    assert abs(log(paces.of("a") / slow)) < log(1.1) and abs(log(paces.of("new") / slow)) < log(1.2)


def test_a_rule_has_its_own_pace_once_enough_of_it_has_ended():
    paces = learned(*[(rule, 5.0, 5.0 * pace) for _ in range(20) for rule, pace in (("a", 2.0), ("b", 0.5))])
    assert paces.of("a") == pytest.approx(2.0, rel=0.15) and paces.of("b") == pytest.approx(0.5, rel=0.15)
    assert 0.6 < paces.of("c") < 1.6


def test_a_machine_that_becomes_slower_is_followed_by_all_rules():
    paces = learned(*[(rule, 5.0, 5.0) for _ in range(20) for rule in "ab"])
    learned(*[("a", 5.0, 15.0) for _ in range(20)], paces=paces)
    assert paces.of("a") > 2.4 and paces.of("b") > 1.8


def test_one_odd_job_among_many_moves_little():
    rng = random.Random(0)
    jobs = [("a", 2.0, 2.0 * rng.lognormvariate(0.0, 0.2)) for _ in range(30)]
    before = learned(*jobs)
    assert learned(("a", 2.0, 200.0), paces=learned(*jobs)).of("a") / before.of("a") < 1.3


def test_a_wait_for_libraries_says_less_than_work_and_a_short_job_less_than_a_long_one():
    cold, plain, short = Paces(), Paces(), Paces()
    cold.learn("a", 2.2, 22.0, at=22.0, imports=2.0)
    plain.learn("a", 2.2, 22.0, at=22.0)
    short.learn("a", 0.01, 0.1, at=0.1)
    assert 1.0 < cold.of("b") < plain.of("b") and 1.0 < short.of("b") < plain.of("b")


def test_jobs_that_run_longer_than_thought_are_known_before_they_end_and_only_there():
    paces = Paces()
    assert paces.with_running([("a", 1.0, 0.5)]).of("a") == 1.0
    assert paces.with_running([("a", 1.0, 9.0)]).of("a") > 3 and paces.of("a") == 1.0
    assert paces == Paces()


def test_jobs_that_took_no_time_are_no_trouble():
    paces = learned(*[("a", 0.2, 0.0) for _ in range(100)])
    assert 0 < paces.of("a") <= 1.0
