"""Keep the memory that a training frees at every step, and a prediction at every batch."""

import ctypes
import sys

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # mallopt(3)
NEVER = -1


def keep_freed_memory() -> None:
    """Keep what is freed, for the next step.

    By default large pieces go back to the system and come again, page by page, for every tensor: on a CPU that costs a
    training between 5 and 15 % of its time, a prediction between 3 and 10 % (measured with models of 0.1 and 100
    million parameters).
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):  # glibc
            library.mallopt(M_MMAP_MAX, 0)
            library.mallopt(M_TRIM_THRESHOLD, NEVER)
