"""What gentler ways of tuning keep, on planted tables."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from overtrained import BRITTLE, SETTINGS, found

from ripeness.findings.deciding import adjusted
from ripeness.findings.mitigation.claim import CLAIM
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform


@pytest.mark.parametrize(
    ("treatment", "verdict", "shown"),
    [
        (("gentle", -0.2, 0.0), "supported", "answers"),
        (("costly", -0.2, 0.3), "reversed", "answers"),
        (("useless", 0.2, 0.0), "reversed", "text"),
        (("empty", 0.0, 0.0), "too small to matter", "text"),
    ],
)
def test_a_treatment_must_buy_something_for_nothing(treatment, verdict, shown):
    one = found(replace(BRITTLE, treatments=(treatment,)), "mitigation")
    assert one.verdict == verdict
    # the number that decides is the number that is shown: the weaker of two proofs, or what a claim falls to
    kept = one.part.endswith("pre-training text kept")
    assert one.effect == pytest.approx(-treatment[1] if kept else treatment[2], abs=0.03)
    assert shown == ("text" if kept else "answers") and one.low < one.effect < one.high
    assert one.p_value < 0.05 and {part["label"] for part in one.parts} == {
        f"{treatment[0]}: pre-training text kept",
        f"{treatment[0]}: cost on the answers",
    }


def test_a_claim_on_any_treatment_falls_only_with_all_of_them():
    costly, useless, gentle = ("costly", -0.2, 0.3), ("useless", 0.2, 0.0), ("gentle", -0.2, 0.0)
    fallen = found(replace(BRITTLE, treatments=(costly, useless)), "mitigation")
    assert fallen.verdict == "reversed" and len(fallen.parts) == 4
    held = found(replace(BRITTLE, treatments=(costly, useless, gentle)), "mitigation")
    assert held.verdict == "supported" and held.part.startswith("gentle: ")


def test_several_treatments_have_wider_intervals():
    name = ("gentle", -0.2, 0.0)
    alone = found(replace(BRITTLE, treatments=(name,)), "mitigation")
    several = found(replace(BRITTLE, treatments=(name, ("useless", 0.1, 0.0), ("costly", -0.1, 0.5))), "mitigation")
    assert several.confidence == pytest.approx(1 - 0.05 / 3)
    assert alone.confidence == pytest.approx(0.95)


def tuned(rng, *, kept, n=8, datasets=3, treatment_sd=0.0, dataset_sd=0.0, ways=None):
    """Draw losses of plain and gentle tuning; what gentle tuning saves scatters between checkpoints and datasets."""
    at = kept + treatment_sd * rng.standard_normal((n, 1)) + dataset_sd * rng.standard_normal((1, datasets))
    rows = []
    for k, dataset, seed, name in product(range(n), range(datasets), (1, 2, 3), ("full", "gentle")):
        row = {"study": "drawn", "series": "run", "checkpoint": f"step{k}", "step": k, "tokens": 1000 * 2**k}
        row |= {"phase": "stable", "pretraining_seed": 0, "dataset": f"set{dataset}", "format": "default", "lr": 1e-3}
        row |= {"method": name, "learning_rate": 1e-3, "seed": seed, "is_chosen": True, "suite": "s", "split": "test"}
        text, answer = 3 + 0.003 * rng.standard_normal(2)
        text -= at[k, dataset] * (name == "gentle")
        own = {"probe": f"set{dataset}", "probe_kind": "choice", "probe_format": "default", "metric": "answer_loss"}
        prose = {"probe": "prose", "probe_kind": "text", "probe_format": "text", "metric": "loss"}
        rows += [row | prose | {"value": text, "shots": 0}, row | own | {"value": answer, "shots": 0}]
    measured = conform(rows, MEASUREMENTS | IS_CHOSEN)
    cells = conform(
        [{"method": name} | facts for name, facts in ({"full": {}, "gentle": {}} | (ways or {})).items()], CELLS
    )
    return adjusted([CLAIM.worded(CLAIM.judge(Tables.of(measurements=measured, cells=cells), SETTINGS))], SETTINGS)[0]


@pytest.mark.parametrize("facts", [{"start": "sft"}, {"learns": "text"}, {"examples": 8, "doses_of": "gentle"}])
def test_another_start_a_text_or_a_dose_is_no_gentler_way(facts):
    assert tuned(np.random.default_rng(0), kept=0.2).verdict == "supported"
    one = tuned(np.random.default_rng(0), kept=0.2, ways={"gentle": facts})
    assert one.verdict == "undecided" and "no method other than 'full'" in one.statement
    both = tuned(np.random.default_rng(0), kept=0.2, ways={"gentle": facts, "full": facts})
    assert both.verdict == "supported"  # ways that share it compare


@pytest.mark.release
@pytest.mark.parametrize("scatter", [{"treatment_sd": 0.03}, {"dataset_sd": 0.03}])
def test_what_a_treatment_saves_at_some_checkpoints_or_datasets_is_no_verdict(scatter):
    found = [tuned(np.random.default_rng(seed), kept=0.02, **scatter) for seed in range(60)]
    kept = [next(part for part in one.parts if part["label"].endswith("kept")) for one in found]
    assert np.mean([part["low"] <= 0.02 <= part["high"] for part in kept]) >= 0.88
    assert np.mean([one.verdict == "supported" for one in found]) <= 0.1  # the truth is at the edge of what matters
    clear = [tuned(np.random.default_rng(seed), kept=0.2, **scatter).verdict for seed in range(10)]
    assert clear.count("supported") >= 9


def test_two_datasets_are_taken_as_they_are_and_that_is_said():
    one = tuned(np.random.default_rng(0), kept=0.2, datasets=2)
    assert one.verdict == "supported" and "so are the datasets" in one.covers
    assert any("Fewer than three datasets" in caveat for caveat in one.caveats)
    assert "3 datasets" in tuned(np.random.default_rng(0), kept=0.2).covers
