"""How things are timed: in turns, by the median, and against what the machine can do at most.

On a CPU seconds are CPU seconds of this process, which has one thread: the same as on a clock while nothing else runs,
and little disturbed when something does. On a GPU they are seconds of a clock, with all kernels waited for.

Ours keeps freed memory as our programs do; for others the C library is set to what it does by itself at best.
"""

import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ripeness.runtime.freed_memory import M_MMAP_MAX, M_TRIM_THRESHOLD, keep_freed_memory

Prepare = Callable[[], Callable[[], Any]]  # called before the clock starts; what it returns is timed
M_MMAP_THRESHOLD = -3  # mallopt(3)


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call took, and what it returned."""
    if not torch.cuda.is_available():
        start = time.process_time()
        result = function()
        return time.process_time() - start, result
    torch.cuda.synchronize()
    start = time.perf_counter()
    result = function()
    torch.cuda.synchronize()
    return time.perf_counter() - start, result


def take_turns(
    contenders: Mapping[str, Prepare], repeats: int, keeping: Collection[str] = ("ours",)
) -> tuple[dict[str, float], dict[str, Any]]:
    """Median seconds of every contender, and what each returned when it was called once before, to warm up.

    One after the other, again and again, so that a slower hour of the machine hits all of them. Those `keeping` keep
    freed memory.
    """
    results: dict[str, Any] = {}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(1 + repeats):
        for name, prepare in contenders.items():
            (keep_freed_memory if name in keeping else free_by_default)()
            taken, result = seconds(prepare())
            if turn:
                times[name].append(taken)
            else:
                results[name] = result
    return {name: statistics.median(values) for name, values in times.items()}, results


def free_by_default() -> None:
    """Undo `keep_freed_memory`: what the C library does by itself once it has seen that large pieces are freed."""
    library = ctypes.CDLL(None)
    for option, value in ((M_MMAP_MAX, 65536), (M_MMAP_THRESHOLD, 32 * 2**20), (M_TRIM_THRESHOLD, 64 * 2**20)):
        library.mallopt(option, value)


def best_of(sizes: tuple[int, ...], n: int, timed: Callable[[int], Any]) -> int:
    """The batch size with which a call on `n` things is fastest; search ends when two sizes in a row were no better."""
    times: dict[int, float] = {}
    for size in [size for before, size in zip((0, *sizes), sizes, strict=False) if before < n]:
        times[size] = seconds(lambda size=size: timed(size))[0]
        if list(times).index(min(times, key=times.__getitem__)) < len(times) - 2:
            break
    return min(times, key=times.__getitem__)


@cache
def matmul_peak(dtype: torch.dtype, sizes: tuple[int, ...]) -> float:
    """FLOP/s of the fastest product of two square matrices of some sizes, of five each."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rates = []
    for size in sizes:
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        a @ b
        times = 50 if device == "cuda" else 2
        rates += [2 * size**3 * times / seconds(lambda a=a, b=b, n=times: repeat(a, b, n))[0] for _ in range(5)]
    return max(rates)


def repeat(a: torch.Tensor, b: torch.Tensor, times: int) -> None:
    """Multiply two matrices some times."""
    for _ in range(times):
        a @ b


def row(
    benchmark: str,
    model: str,
    setting: str,
    *,
    ours: float | None,
    theirs: float | None,
    unit: str,
    ratio: float | None,
    target: str,
    note: str = "",
) -> dict:
    """One line of the table; None is "not measured", `target` bounds the ratio: ">= 2" or ">= 0.92, <= 0.97"."""
    words = {"benchmark": benchmark, "model": model, "setting": setting, "unit": unit, "target": target, "note": note}
    numbers = {"ours": ours, "theirs": theirs, "ratio": ratio}
    return words | {key: value and float(f"{value:.4g}") for key, value in numbers.items()}


def is_met(row: dict) -> bool | None:
    """Whether a row meets its target; None where there is none or nothing was measured."""
    if not row["target"] or row["ratio"] is None:
        return None
    bounds = [bound.split() for bound in row["target"].split(", ")]
    return all(row["ratio"] >= float(b) if sign == ">=" else row["ratio"] <= float(b) for sign, b in bounds)


def machine() -> dict[str, Any]:
    """What the timings were taken on."""
    import transformers

    info = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(models) or None,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {"transformers": transformers.__version__}
        | {name: version_of(name) for name in ("lm_eval", "trl")},
    }


def version_of(package: str) -> str | None:
    """Version of an installed package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
