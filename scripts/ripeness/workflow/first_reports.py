"""Write a report of the finished cells while a study runs, so that one reads while one waits."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from ripeness.runtime.project import SCRIPTS

FIRST_S = 120.0  # after the start of a run
LATER, SOON = 4.0, 1.5  # times as late is the next one, and the next trial where no cell is finished yet


def first_reports(study: Path, ended: Event, say: Callable[[str], None], *, first: float = FIRST_S) -> None:
    """Write a partial report after two minutes, after eight, and so on, until `ended`; say where the first one is.

    It has the lowest priority. Where it fails, as before the first cell is measured, it is tried again as much later.
    """
    started, wait, said = time.monotonic(), first, False
    while not ended.wait(started + wait - time.monotonic()):
        wait *= LATER if said else SOON
        command = ["nice", "-n", "19", sys.executable, str(SCRIPTS / "report_partial.py"), f"--study={study}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            while process.poll() is None:
                if ended.wait(0.2):  # the whole report is there
                    process.kill()
            page = process.stdout.read().strip() if process.stdout else ""
        if process.returncode == 0 and not said:
            said = True
            say(f"a first report, of the finished cells: {page}")
