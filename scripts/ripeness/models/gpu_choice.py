"""Choose the GPU that the fewest jobs use, where several jobs share a machine and nothing else shares its GPUs out.

SLURM gives a job GPUs of its own, of which this chooses one.
"""

import os
import tempfile
from functools import cache
from pathlib import Path

import torch

from ripeness.runtime.gpu_locks import least_used

NEUTRAL = True  # which of the GPUs computes decides no number, see ripeness.workflow.code_digest


@cache
def device_for_models() -> str:
    """Return the device of this process, once and for all: the chosen GPU, or the CPU where there is none."""
    if not torch.cuda.is_available():
        return "cpu"
    visible, n = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(","), torch.cuda.device_count()
    names = visible if len(visible) == n and all(visible) else [str(number) for number in range(n)]
    chosen = names.index(least_used(names, Path(tempfile.gettempdir()) / f"ripeness-gpus-{os.getuid()}"))
    torch.cuda.set_device(chosen)  # for what else says no more than `cuda`
    return f"cuda:{chosen}"
