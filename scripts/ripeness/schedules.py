"""The learning rate of a published run at any of its steps, from its schedule."""

from math import cos, pi
from typing import Any


def learning_rate(schedule: dict[str, Any], step: int) -> float:
    """Rate at a step: linear warm-up from `start_ratio` of the peak, then cosine or linear to `final_ratio` of it."""
    peak, warmup = schedule["peak"], schedule["warmup_steps"]
    start = peak * schedule.get("start_ratio", 0)
    if step < warmup:
        return start + (peak - start) * step / warmup
    if schedule["decay"] == "constant":
        return peak
    final = peak * schedule.get("final_ratio", 0)
    done = min(1.0, (step - warmup) / (schedule["end_step"] - warmup))
    left = (1 + cos(pi * done)) / 2 if schedule["decay"] == "cosine" else 1 - done
    return final + (peak - final) * left
