"""Count the processes that use each GPU of a machine, by locks that a process holds until it ends."""

import fcntl
import os
from itertools import count
from pathlib import Path

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest


def least_used(names: list[str], folder: Path) -> str:
    """Return the first of the GPUs that the fewest processes have chosen, and count this one among them to its end.

    The first process on a GPU holds the lock with number 0, the next one that with number 1, and so on.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in count():
        for name in names:
            lock = os.open(folder / f"{name.replace('/', '_')}.{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                return name  # the lock is never closed
    raise AssertionError("there is no end to the numbers")
