"""Compute the learning rate of a published run at any step from its schedule."""

from math import cos, pi
from typing import Any


def learning_rate(schedule: dict[str, Any], step: int) -> float:
    """Compute the rate at a step: linear warm-up from `start_ratio` of the peak, then a decay to `final_ratio` of it.

    With `decay_from` the rate stays at its peak until then. Where the steps of a series are not those of its optimiser,
    `updates_per_step` and `updates_at_step_0` say how many of these they are; all else in a schedule is in updates.
    """
    update = schedule.get("updates_at_step_0", 0) + step * schedule.get("updates_per_step", 1)
    peak, warmup = schedule["peak"], schedule["warmup_steps"]
    start = peak * schedule.get("start_ratio", 0)
    if update < warmup:
        return start + (peak - start) * update / warmup
    if schedule["decay"] == "constant":
        return peak
    final, begin = peak * schedule.get("final_ratio", 0), schedule.get("decay_from", warmup)
    done = min(1.0, max(0.0, (update - begin) / (schedule["end_step"] - begin)))
    left = (1 + cos(pi * done)) / 2 if schedule["decay"] == "cosine" else 1 - done
    return final + (peak - final) * left
