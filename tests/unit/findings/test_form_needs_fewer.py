"""Doses for half of the gain of form and of knowledge, on planted scores."""

from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
import pytest
from overtrained import SETTINGS

from ripeness.findings.deciding import adjusted
from ripeness.findings.form_needs_fewer.claim import CLAIM
from ripeness.findings.register import findings_on
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform

DOSES = (8, 32, 128, 512, 2048)
ARMS = {"mood": "form", "kind": "form", "facts": "knowledge"}
NAMED = replace(SETTINGS, form=("mood", "kind"), knowledge=("facts",))


def study(apart, *, gains=None, n=8, seeds=3, noise=0.01, scatter=0.0, seed=0, lost=None, text=True) -> Tables:
    """Draw scores that rise with the log of the dose: half of the gain is at 64 examples, of knowledge `apart` later.

    A dose d loses `lost[arm]` * log2(d) nats of text.
    """
    rng = np.random.default_rng(seed)
    rows, cells, lost = [], [], lost or {"form": 0.01, "knowledge": 0.1}
    for k in range(n):
        place = {"study": "drawn", "series": "run", "checkpoint": f"step{k}", "step": k, "tokens": 1000 * 2**k}
        place |= {"phase": "stable", "pretraining_seed": 0, "lr": 1e-3, "is_chosen": True, "suite": "own", "shots": 0}
        prose = {"probe": "prose", "probe_kind": "text", "probe_format": "text", "metric": "loss"}
        if text:
            rows.append(
                place | prose | {"method": "base", "dataset": "prose", "format": "text", "seed": 0, "value": 2.0}
            )
        moved = scatter * rng.standard_normal()
        for name, arm in ARMS.items():
            own = {"probe": name, "probe_kind": "choice", "probe_format": "default", "metric": "accuracy"}
            own |= {"split": "test", "is_primary": True, "n_items": 100, "se": 0.01}
            rows.append(place | own | {"method": "base", "dataset": name, "format": "default", "seed": 0, "value": 0.4})
            middle = 6 + ((apart + moved) if arm == "knowledge" else 0)
            for dose, number in product(DOSES, range(seeds)):
                share = float(np.clip((np.log2(dose) - middle) / 4 + 0.5, 0, 1))
                cell = {"dataset": name, "format": "default", "method": f"dose-n{dose}", "learning_rate": 1e-3}
                cell |= {"seed": number}
                value = 0.4 + (gains or {}).get(name, 0.3) * share + noise * rng.standard_normal()
                rows.append(place | own | cell | {"value": value})
                if text:
                    rows.append(place | prose | cell | {"value": 2.0 + lost[arm] * np.log2(dose)})
                facts = place | cell | {"doses_of": "dose", "examples": dose, "kind": "full", "status": "done"}
                cells.append({key: value for key, value in facts.items() if key in CELLS | IS_CHOSEN})
    return Tables.of(
        measurements=conform(rows, MEASUREMENTS | IS_CHOSEN), cells=conform(cells, CELLS | IS_CHOSEN), scores="not read"
    )


def judged(tables, settings=NAMED):
    return adjusted([CLAIM.worded(CLAIM.judge(tables, settings))], settings)[0]


@pytest.mark.parametrize(("apart", "verdict"), [(2.0, "supported"), (-2.0, "reversed"), (0.0, "too small to matter")])
def test_a_dose_of_knowledge_that_is_larger_smaller_or_equal_is_found(apart, verdict):
    one = judged(study(apart, noise=0.002))
    assert (one.verdict, one.smallest) == (verdict, 0.5)
    assert one.effect == pytest.approx(apart, abs=0.03) and one.low < one.effect < one.high
    assert one.n_checkpoints == 4 and one.n_seeds == 3


def test_the_price_in_text_stands_next_to_the_doses():
    """Half of the gain is at 2**6 examples of form and at 2**8 of knowledge, which lose 0.06 and 0.8 nats."""
    one = judged(study(2.0))
    assert "of knowledge (facts) as of form (kind and mood)" in one.statement
    assert "loses 0.80 nats a token of text for knowledge and 0.06 for form" in one.statement
    rows = {(row["dataset"], row["checkpoint"]): row for row in one.details}
    assert rows["facts", "step7"]["dose"] == pytest.approx(256, rel=0.1)
    assert rows["facts", "step7"]["lost"] == pytest.approx(0.8, abs=0.02)
    assert rows["mood", "step7"]["lost"] == pytest.approx(0.06, abs=0.005)
    silent = judged(study(2.0, text=False))
    assert "nats a token" not in silent.statement and silent.effect == pytest.approx(one.effect)


def test_intervals_hold_the_truth_where_checkpoints_scatter():
    found = [judged(study(1.0, scatter=0.5, noise=0.02, seed=seed)) for seed in range(12)]
    assert sum(one.low <= 1.0 <= one.high for one in found) >= 10


def test_noise_alone_is_rarely_taken_for_a_difference():
    found = [judged(study(0.0, scatter=0.5, noise=0.02, seed=seed)) for seed in range(12)]
    assert sum(one.verdict in ("supported", "reversed") for one in found) <= 2


def test_what_gains_too_little_has_no_dose_and_is_counted():
    one = judged(study(2.0, gains={"kind": 0.01}))
    assert one.verdict == "supported" and any("gains too little" in note for note in one.caveats)
    nothing = judged(study(2.0, gains={"facts": 0.0}))
    assert nothing.verdict == "undecided" and "both form and knowledge" in nothing.statement


def test_few_checkpoints_one_seed_or_an_arm_without_doses_decide_nothing():
    for tables in (study(2.0, n=3), study(2.0, seeds=1)):
        assert judged(tables).verdict == "undecided"
    one = judged(study(2.0), replace(NAMED, knowledge=("others",)))
    assert one.verdict == "undecided" and "none of knowledge" in one.statement


def test_the_claim_is_tested_only_where_a_study_says_what_its_datasets_teach():
    tables = study(2.0)

    def tested(settings):
        return [one.id for one in findings_on(tables, settings, only=["form-needs-fewer"])]

    assert tested(NAMED) == ["form-needs-fewer"] and tested(SETTINGS) == []
    assert pl.Series(tested(replace(NAMED, form=()))).is_empty()
