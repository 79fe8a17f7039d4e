"""Intervals over pre-training runs where there are enough of them, else over the repeats of each run."""

from collections.abc import Mapping, Sequence

import numpy as np

from ripeness.findings.caveats import MIN_RUNS
from ripeness.stats.resampling import Estimate, with_interval

RUN_ALONE = "Checkpoints of one pre-training run share its seed: the result is about this run alone."


def over_runs(values: Mapping[str, Sequence[float]], *, confidence: float) -> Estimate | None:
    """Estimate the mean of runs, each the mean of its repeats, with a t interval; None where nothing varies.

    With MIN_RUNS runs their spread counts, which holds that of their repeats; with fewer, the repeats of every run.
    """
    repeats = [np.asarray(own, float) for own in values.values()]
    means = np.array([own.mean() for own in repeats])
    if len(means) >= MIN_RUNS:
        se, df = float(means.std(ddof=1) / np.sqrt(len(means))), len(means) - 1
    elif repeats and min(map(len, repeats)) > 1:
        se = float(np.sqrt(sum(own.var(ddof=1) / len(own) for own in repeats)) / len(repeats))
        df = sum(len(own) - 1 for own in repeats)
    else:
        return None
    return with_interval(float(means.mean()), se, df=df, confidence=confidence)
