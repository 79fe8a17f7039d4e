"""What is known of untouched checkpoints, with the scores of the same checkpoints after tuning."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ripeness.stats.indicators import Unit

TOKENS, RATE = "tokens", "pre-training rate"
TEXT_LOSS, MARGIN, ANSWER_LOSS = "loss on text", "margin", "loss on answers"
Place = tuple[str, str, str | None]  # series, checkpoint, and dataset where the value is about one
Values = Mapping[Place, np.ndarray]  # [evaluations]: a value for each halving of the items, or one for all


@dataclass(frozen=True)
class Indicator:
    """One number of an untouched checkpoint, signed so that more is expected to go with a better tuned model.

    `expects` says in words what is expected. `cost` is that of measuring it at a checkpoint as a share of the cost of
    tuning; None where it is not known. `is_short_tuning` marks the score of a model that was tuned shortly.
    """

    name: str
    values: Values
    expects: str = "more is better"
    cost: float | None = None
    is_short_tuning: bool = False


@dataclass(frozen=True)
class Readings:
    """Indicators, and what they are judged against.

    `outcome` is the tuned score. `reference` is that of the same models on other items, where there are any, else the
    outcome itself: one who tunes every checkpoint chooses by it. `has_own_items` says that no indicator shares items
    with the outcome. `checkpoints` of every series are in order of tokens, those without tokens left out.
    """

    method: str
    checkpoints: Mapping[str, list[str]]
    outcome: Values
    reference: Values
    indicators: tuple[Indicator, ...]
    has_own_items: bool

    def units(self, values: Values, series: str | None = None) -> list[Unit]:
        """Make the units of one series, or of all, for the values of one indicator."""
        places = {(name, dataset) for name, _, dataset in self.outcome if dataset and series in (None, name)}
        return [
            Unit(name, dataset, *(self.arranged(of, name, dataset) for of in (values, self.outcome, self.reference)))
            for name, dataset in sorted(places)
            if name in self.checkpoints
        ]

    def arranged(self, values: Values, series: str, dataset: str) -> np.ndarray:
        """Arrange the values on one dataset as [evaluations, checkpoints]; NaN where there is none."""
        n = max(len(value) for value in self.outcome.values())
        nothing = np.full(n, np.nan)
        columns = [
            np.broadcast_to(values.get((series, name, dataset), values.get((series, name, None), nothing)), n)
            for name in self.checkpoints[series]
        ]
        return np.stack(columns, axis=1)
