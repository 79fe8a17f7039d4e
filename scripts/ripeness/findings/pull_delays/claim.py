"""Does a pull towards the start delay the degradation?"""

from dataclasses import replace

import numpy as np

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, signed, times, undecided
from ripeness.findings.needs import has_networks
from ripeness.findings.network_tuning import left_out, series_of, turns
from ripeness.findings.networks import BLANK, SOURCE, judged, known, over_seeds
from ripeness.findings.study_tables import Tables
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Measure by how many doublings of time a pull delays the best checkpoint, for every target, rate and pull."""
    rows = tables.simulated["tuned_networks"].filter("is_fixed")
    series = series_of(rows, ["target", "rate", "pull"])
    finding = replace(
        BLANK, n_checkpoints=rows["checkpoint"].n_unique(), caveats=left_out(rows, ["target", "rate", "pull"])
    )
    later: dict[float, list[np.ndarray]] = {}
    costs: dict[float, list[float]] = {}
    for (target, rate, pull), part in series.items():
        without = series.get((target, rate, 0.0))
        if pull and without is not None:
            later.setdefault(pull, []).append(np.log2(turns(part, "loss") / turns(without, "loss")))
            costs.setdefault(pull, []).append(
                as_number(part["task_loss"].mean()) - as_number(without["task_loss"].mean())
            )
    if not later:
        return undecided(finding, "the study has no pull other than 0")
    means = {pull: np.mean(found, axis=0) for pull, found in sorted(later.items())}
    delays = {pull: over_seeds(found, settings) for pull, found in means.items()}
    changes = {pull: float(np.mean(costs[pull])) for pull in means}
    details = [{"pull": pull, "task_loss_change": changes[pull], **known(delay)} for pull, delay in delays.items()]
    said = "; ".join(
        f"{times(delay.effect)} as late under a pull of {pull:g} (loss on the task {signed(changes[pull])})"
        for pull, delay in delays.items()
    )
    statement = f"The pre-training loss after fine-tuning is lowest {said}."
    finding = replace(finding, statement=statement, details=tuple(details))
    values = np.mean(list(means.values()), axis=0)
    return judged(finding, values, settings, smallest=settings.smallest_effect)


CLAIM = Claim(
    id="pull-delays",
    text="A pull towards the start delays the degradation",
    source=SOURCE,
    unit="power of two: 1 if the best checkpoint comes at twice the time, 0 if at the same",
    figure="theory-regularisation",
    needs=(has_networks,),
    judge=judge,
)
