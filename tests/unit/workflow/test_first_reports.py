"""While a study runs, a report of its finished cells is written."""

import subprocess
from pathlib import Path
from threading import Event

import pytest

from ripeness.workflow import first_reports

PAGE = "results/mine/partial/report.html"


@pytest.mark.parametrize("n_failures", [0, 2])
def test_a_first_report_is_said_once_and_later_ones_are_written_in_its_place(n_failures, monkeypatch):
    ended, said, calls = Event(), [], []
    start = subprocess.Popen

    def started(command, **how):
        calls.append(command)
        if len(calls) == n_failures + 2:
            ended.set()
        words = ["false"] if len(calls) <= n_failures else ["echo", PAGE]
        return start(words, **how)

    monkeypatch.setattr(first_reports.subprocess, "Popen", started)
    first_reports.first_reports(Path("studies/mine.yaml"), ended, said.append, first=0.01)
    assert said == [f"a first report, of the finished cells: {PAGE}"]
    assert len(calls) == n_failures + 2 and calls[0][-1] == "--study=studies/mine.yaml"


def test_a_report_that_is_not_finished_with_the_study_is_given_up(monkeypatch):
    ended, start = Event(), subprocess.Popen

    def started(_command, **how):
        ended.set()
        return start(["sleep", "600"], **how)

    monkeypatch.setattr(first_reports.subprocess, "Popen", started)
    first_reports.first_reports(Path("a.yaml"), ended, print, first=0.01)
