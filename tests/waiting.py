"""How tests wait: limits only catch what hangs, and what is seen of folders at work is true however slow the look is.

No limit here says how fast something must be: that is measured by benchmarks/bounds.py. TEST_PATIENCE=4 in the
environment makes all limits four times as long.
"""

import fnmatch
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HANG_SECONDS = 1800 * float(os.environ.get("TEST_PATIENCE", "1"))  # of a whole run; a quiet machine takes one minute
MOMENT_SECONDS = HANG_SECONDS / 3  # of what takes a moment
FOREVER_SECONDS = 2 * HANG_SECONDS  # a process of a test that sleeps so long never ends by itself while one waits


def wait_for(is_so: Callable[[], object], seconds: float = MOMENT_SECONDS, *, pause: float = 0.05) -> None:
    """Wait until something is so; TimeoutError where it never is."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"not so after {seconds:.0f} s: {is_so}")
        time.sleep(pause)


def files_below(folder: Path, pattern: str) -> Iterator[Path]:
    """Files whose names match, in a folder in which others make and delete folders meanwhile.

    `Path.rglob` fails where a folder vanishes under it; `os.walk` passes over it.
    """
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in fnmatch.filter(names, pattern))


class Together:
    """How many of the things that come and go exist at one time, at most as far as one saw.

    A look takes time, and while it lasts one thing may go and another come. Each exists once, without a break: what
    two looks in a row have seen was there between them.
    """

    def __init__(self) -> None:
        self.most, self._before = 0, set()

    def look(self, there: set) -> None:
        """Take in what a look has seen."""
        self.most = max(self.most, len(there & self._before))
        self._before = there
