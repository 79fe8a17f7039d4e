"""How things are timed: in turns, by the median, and against what the machine can do at most.

On a CPU seconds are CPU seconds of this process, which has one thread: the same as on a clock while nothing else runs,
and little disturbed when something does. On a GPU they are seconds of a clock, with all kernels waited for.
"""

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

Prepare = Callable[[], Callable[[], Any]]  # called before the clock starts; what it returns is timed


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


def take_turns(contenders: Mapping[str, Prepare], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Median seconds of every contender, and what each returned when it was called once before, to warm up.

    One after the other, again and again, so that a slower hour of the machine hits all of them.
    """
    results = {name: prepare()() for name, prepare in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, prepare in contenders.items():
            times[name].append(seconds(prepare())[0])
    return {name: statistics.median(values) for name, values in times.items()}, results


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
