"""A report while cells are missing: marked, of the cells that are done, and nothing of the study is touched."""

import json
import re
import subprocess
import sys

from cut_study import TUNED, UNTOUCHED
from project import ENVIRONMENT
from waiting import HANG_SECONDS


def partial(folder):
    command = [sys.executable, "scripts/report_partial.py", "--study", "cut.yaml"]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)


def kept(results):
    """What a partial report must leave as it is; nothing was decided yet where there is no looks.json."""
    names = ("findings.json", "looks.json", "report.html")
    return {name: (results / name).read_bytes() for name in names if (results / name).exists()}


def test_a_report_of_the_cells_that_are_done_is_marked_and_is_no_look(edited):
    results = edited.folder / "results/cut"
    lost = results / "cells/nursery/step100/nursery-sentiment/io/full/seed1"
    (lost / "measurements.parquet").unlink()
    before = kept(results)
    run = partial(edited.folder)
    assert run.returncode == 0, run.stdout + run.stderr
    page = (results / "partial/report.html").read_text()
    n = TUNED + UNTOUCHED
    said = re.search(r'<p class="partial"[^>]*>(.*?)</p>', page)[1]
    assert re.search(r"<b>Partial</b>: (\d+) of (\d+) cells are done", said).groups() == (str(n - 1), str(n))
    assert kept(results) == before and "report.html" in before
    assert json.loads((results / "partial/findings.json").read_text())
    assert "ripeness show nursery" not in page and f'"folder":"{results.relative_to(edited.folder)}"' in page


def test_a_study_without_a_finished_cell_has_no_partial_report(edited):
    for path in (edited.folder / "results/cut/cells").rglob("measurements.parquet"):
        path.unlink()
    run = partial(edited.folder)
    assert run.returncode == 2 and "no cell of " in run.stderr and "hint: " in run.stderr
