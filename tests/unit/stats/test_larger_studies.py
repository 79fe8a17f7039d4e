"""What it would take: with the number that is said, about 80 % of drawn studies decide the claim."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ripeness.stats.at_large import Sources, added, at_large
from ripeness.stats.larger_studies import Size, Spread, more_needed
from ripeness.stats.random_levels import Component, over_units, whole_and_shared
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import EFFECT, NO_EFFECT, NO_HARM, UNDECIDED, Part, chances_of, verdict_of

S = 0.02
NOW = Size(items=400, seeds=2, checkpoints=6, datasets=5)


@dataclass(frozen=True)
class Truth:
    """An effect and what varies: standard deviations of items, seeds, checkpoints (own, shared) and datasets."""

    effect: float
    items: float = 0.1
    seeds: float = 0.01
    own: float = 0.005
    shared: float = 0.005
    datasets: float = 0.005

    def spread(self, size: Size) -> Spread:
        """Return the parts of the variance, as a study of this size would find them on average."""
        items, seeds, checkpoints, datasets = size
        item = self.items**2 / items
        seed = self.seeds**2 / (seeds * checkpoints * datasets)
        own = self.own**2 / (checkpoints * datasets) + seed
        shared = Component(self.shared**2 / checkpoints, checkpoints - 3)
        whole = added([Component(own, (datasets - 1) * (checkpoints - 3)), shared])
        parts = Sources(
            Component(item, items - 1), Component(seed, datasets * (seeds - 1)), checkpoints=whole, shared=shared
        )
        return Spread(parts, Component(self.datasets**2 / datasets + item + own, datasets - 1), size)

    def study(self, size: Size, rng: np.random.Generator) -> tuple[float, Component, Sources]:
        """Draw a study: its effect, and what it finds that this varies by."""
        _, seeds, checkpoints, datasets = size
        n_items = size.items / NOW.datasets  # of each: further datasets have as many
        course = (
            self.effect
            + self.datasets * rng.standard_normal(datasets)
            + self.items / n_items**0.5 * rng.standard_normal(datasets)
            + self.shared * rng.standard_normal((checkpoints, 1))
            + self.own * rng.standard_normal((checkpoints, datasets))
        )
        values = course + self.seeds * rng.standard_normal((seeds, checkpoints, datasets))
        mean = values.mean(axis=0)
        by_seed = float(values.mean(axis=1).var(axis=0, ddof=1).mean()) / seeds / datasets
        scatter = whole_and_shared(np.arange(checkpoints, dtype=float), mean, np.full(checkpoints, 1 / checkpoints))
        found = Sources(
            Component(self.items**2 / n_items / datasets, n_items * datasets - 1),
            Component(by_seed, datasets * (seeds - 1)),
            checkpoints=added(list(scatter)),
            shared=scatter[1],
        )
        return float(values.mean()), over_units(mean.mean(axis=0)), found


def share_decided(truth: Truth, size: Size, expects: str, n_studies: int = 800) -> float:
    rng = np.random.default_rng(0)
    decided = 0
    for _ in range(n_studies):
        result = at_large(*truth.study(size, rng), confidence=0.95)
        decided += verdict_of(result.low, result.high, smallest=S, expects=expects) != UNDECIDED
    return decided / n_studies


def needs(truth: Truth, expects: str) -> dict:
    spread = truth.spread(NOW)
    variance, df = spread.at(NOW)
    result = with_interval(truth.effect, variance**0.5, df=df, confidence=0.95)
    return more_needed([[Part(result, S, expects, spread=spread)]], 0.05)


@pytest.mark.parametrize(
    ("level", "truth", "expects"),
    [
        ("datasets", Truth(0.06, datasets=0.04), EFFECT),
        ("datasets", Truth(0.0, datasets=0.02), NO_EFFECT),
        ("items", Truth(0.05, items=0.3), EFFECT),
        ("items", Truth(-0.05, items=0.3), EFFECT),
        ("seeds", Truth(0.05, seeds=0.08), EFFECT),
        ("checkpoints", Truth(0.05, shared=0.03), EFFECT),
        ("checkpoints", Truth(-0.01, shared=0.03), NO_HARM),
    ],
)
def test_with_the_number_that_is_said_about_80_percent_of_studies_are_decided(level, truth, expects):
    row = needs(truth, expects)[level]
    assert row["now"] == getattr(NOW, level) < row["needed"]
    assert share_decided(truth, NOW, expects) < 0.7
    share = share_decided(truth, NOW._replace(**{level: row["needed"]}), expects)
    assert 0.74 <= share <= 0.88


def test_a_level_that_cannot_decide_alone_says_so():
    found = needs(Truth(0.06, datasets=0.05), EFFECT)
    assert found["datasets"]["needed"] and {found[name]["needed"] for name in ("items", "seeds", "checkpoints")} == {
        None
    }
    together = needs(Truth(0.055, datasets=0.05, shared=0.05, items=0.5), EFFECT)
    assert {row["needed"] for row in needs(Truth(S, datasets=0.05), EFFECT).values()} == {None}
    times = together.pop("times all of them")
    assert times["now"] == 1 < times["needed"] < 10 and {row["needed"] for row in together.values()} == {None}


def test_at_the_size_of_the_study_the_variance_is_that_of_its_own_interval():
    for truth in (Truth(0.05), Truth(0.05, datasets=0.1, shared=0.03)):
        spread = truth.spread(NOW)
        own = at_large(0.05, spread.datasets, spread.sources, confidence=0.95)
        assert (own.se**2, own.df) == (pytest.approx(spread.at(NOW).variance), pytest.approx(spread.at(NOW).df))
    lucky = replace(truth.spread(NOW), datasets=Component(1e-9, 4))  # datasets agree more than items and seeds let them
    own = at_large(0.05, lucky.datasets, lucky.sources, confidence=0.95)
    assert own.se**2 == pytest.approx(lucky.at(NOW).variance)


def test_a_joint_claim_needs_all_of_its_parts():
    easy, hard = Truth(0.09, datasets=0.03), Truth(0.06, datasets=0.05)
    parts = []
    for truth in (easy, hard):
        spread = truth.spread(NOW)
        variance, df = spread.at(NOW)
        result = with_interval(truth.effect, variance**0.5, df=df, confidence=0.95)
        parts.append(Part(result, S, EFFECT, spread=spread))
    alone, both = (more_needed([found], 0.05)["datasets"]["needed"] for found in (parts[1:], parts))
    assert alone <= both <= alone + 2
    assert more_needed([[replace(parts[0], spread=None)]], 0.05) == {}


def test_chances_are_those_of_drawn_estimates():
    rng = np.random.default_rng(0)
    part = Part(with_interval(0.05, 0.02, df=6, confidence=0.95), S, EFFECT)
    means = 0.05 + 0.01 * rng.standard_normal(20_000)
    errors = 0.01 * np.sqrt(rng.chisquare(6, 20_000) / 6)
    reach = 2.4469 * errors
    holds, falls = chances_of(part, 0.05, se=0.01, df=6)
    assert holds == pytest.approx(float((means - reach > S).mean()), abs=0.01) and falls < 0.01
    assert chances_of(replace(part, may_hold=False), 0.05, se=0.01, df=6)[0] == 0
    assert chances_of(part, 0.05, se=0.0, df=1e6) == pytest.approx((1.0, 0.0))
