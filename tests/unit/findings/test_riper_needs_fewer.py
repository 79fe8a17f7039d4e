"""The dose for half of the gain over pre-training, on planted scores."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from overtrained import SETTINGS

from ripeness.figures.dose import FIGURE
from ripeness.findings.deciding import adjusted
from ripeness.findings.doses import AT_MOST, FOUND, NOT_WHOLE, crossing
from ripeness.findings.riper_needs_fewer.claim import CLAIM
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform

DOSES = (8, 32, 128, 512, 2048)


def study(
    slope: float, *, gain=0.3, n=8, seeds=3, noise=0.01, scatter=0.0, seed=0, names=("a", "b", "c"), start=None
) -> Tables:
    """Draw scores that rise with the log of the dose; twice the tokens move the middle by `slope` doublings.

    A rise takes four doublings; its middle is at 128 examples in the middle of pre-training.
    """
    rng = np.random.default_rng(seed)
    moved = scatter * rng.standard_normal((n, len(names)))
    rows, cells = [], []
    for k, (d, name) in product(range(n), enumerate(names)):
        place = {"study": "drawn", "series": "run", "checkpoint": f"step{k}", "step": k, "tokens": 1000 * 2**k}
        place |= {"phase": "stable", "pretraining_seed": 0, "lr": 1e-3, "is_chosen": True, "suite": "own", "shots": 0}
        own = {"probe": name, "probe_kind": "choice", "probe_format": "default", "metric": "accuracy", "split": "test"}
        own |= {"is_primary": True, "n_items": 100, "se": 0.01}
        rows.append(place | own | {"method": "base", "dataset": name, "format": "default", "seed": 0, "value": 0.4})
        middle = 7 + slope * (k - (n - 1) / 2) + moved[k, d]
        for dose, number in product(DOSES, range(seeds)):
            share = float(np.clip((np.log2(dose) - middle) / 4 + 0.5, 0, 1))
            cell = {"dataset": name, "format": "default", "method": f"form-n{dose}", "learning_rate": 1e-3}
            cell |= {"seed": number}
            rows.append(place | own | cell | {"value": 0.4 + gain * share + noise * rng.standard_normal()})
            facts = (
                place | cell | {"doses_of": "form", "examples": dose, "kind": "full", "status": "done", "start": start}
            )
            cells.append({key: value for key, value in facts.items() if key in CELLS | IS_CHOSEN})
    return Tables.of(
        measurements=conform(rows, MEASUREMENTS | IS_CHOSEN), cells=conform(cells, CELLS | IS_CHOSEN), scores=None
    )


def judged(tables: Tables):
    return adjusted([CLAIM.worded(CLAIM.judge(tables, SETTINGS))], SETTINGS)[0]


@pytest.mark.parametrize(("slope", "verdict"), [(-0.4, "supported"), (0.4, "reversed"), (0.0, "too small to matter")])
def test_a_dose_that_falls_or_rises_with_tokens_is_found(slope, verdict):
    one = judged(study(slope))
    assert (one.verdict, one.smallest) == (verdict, 0.1)
    assert one.effect == pytest.approx(-slope, abs=0.06) and one.low < one.effect < one.high
    middle = {row["checkpoint"]: row["dose"] for row in one.details if row["dataset"] == "a"}
    assert middle["step0"] == pytest.approx(2 ** (7 - 3.5 * slope), rel=0.25)
    assert middle["step7"] == pytest.approx(2 ** (7 + 3.5 * slope), rel=0.25)
    assert "Examples for half of the gain: a " in one.statement


@pytest.mark.release
def test_the_scatter_of_checkpoints_is_in_the_interval():
    found = [judged(study(-0.1, scatter=0.3, seed=seed)) for seed in range(30)]
    assert sum(one.verdict == "supported" for one in found) <= 3
    assert sum(one.low < 0.1 < one.high for one in found) >= 26


def test_a_gain_too_small_to_halve_is_left_out_and_said():
    one = judged(study(-0.4, gain=0.0))
    assert one.verdict == "undecided" and "no dataset gains enough" in one.statement
    assert any("72 of 72 cells are left out" in caveat for caveat in one.caveats)


def test_a_checkpoint_of_which_a_training_diverged_is_left_out_and_said():
    """Without its largest dose a seed would seem to need 512 examples at most, and half of the gain would be less."""
    whole = study(-0.4)
    is_gone = (pl.col("method") == "form-n2048") & (pl.col("seed") == 1) & (pl.col("checkpoint") == "step3")
    for value in (None, np.nan):
        rows = whole.measurements.with_columns(value=pl.when(is_gone).then(value).otherwise("value"))
        one = judged(Tables.of(measurements=rows, cells=whole.cells, scores=1))
        assert one.verdict == "supported" and one.effect == pytest.approx(0.4, abs=0.06)
        assert "9 of 72 cells are left out: a dose or a seed of theirs is missing or diverged." in one.caveats
        assert {row["how"] for row in one.details if row["checkpoint"] == "step3"} == {NOT_WHOLE}


def test_the_last_rise_through_the_target_counts():
    doses = np.array([3.0, 5.0, 7.0])
    assert crossing(doses, np.array([0.1, 0.2, 0.4]), 0.3) == (6.0, FOUND)
    assert crossing(doses, np.array([0.35, 0.2, 0.4]), 0.3) == (6.0, FOUND)
    assert crossing(doses, np.array([0.3, 0.4, 0.4]), 0.3) == (3.0, AT_MOST)
    assert crossing(doses, np.array([0.1, 0.1, 0.2]), 0.3) == (7.0, FOUND)


def test_the_figure_has_a_line_for_each_checkpoint():
    frame = FIGURE.frame(study(-0.4), SETTINGS)
    assert frame.height == 8 * 3 * len(DOSES) and set(frame["panel"]) == {"a", "b", "c"}
    assert (frame["low"] < frame["value"]).all()
    assert FIGURE.chart(frame).to_dict()["facet"]["field"] == "panel" and len(FIGURE.says(frame)) > 20


def test_doses_that_start_from_a_tuned_model_are_left_out():
    """Half of the gain over the untouched model is mostly that of the start."""
    tables = study(-0.4, start="sft")
    forms = [CLAIM.form_for(Tables.of(cells=one.cells, scores="not read")) for one in (study(-0.4), tables)]
    assert forms == [CLAIM.judge, None]
    assert judged(tables).verdict == "undecided" and FIGURE.frame(tables, SETTINGS).is_empty()
