"""Paired differences are McNemar's, and gains of datasets those of a mixed model, on drawn studies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.contingency_tables import mcnemar

from ripeness.calibration.score_studies import ScoreDesign, draw_scores, floors_table
from ripeness.findings.finding import Settings
from ripeness.findings.gain_by_learning.claim import CLAIM
from ripeness.findings.pairs import changes, weights_of
from ripeness.findings.study_tables import Tables
from ripeness.stats.resampling import estimate, weighted_means

EIGHT = ScoreDesign(n_learned=4, n_never=4, n_generation=0, n_items=200, n_seeds=2, gain_gap=0.05, format_level=0.0)


def test_a_paired_difference_of_two_models_is_that_of_mcnemar():
    """McNemar's variance holds under no difference, ours at the one seen: (b - c) / sqrt(b + c - (b - c)² / n)."""
    design = ScoreDesign(n_checkpoints=6, n_learned=1, n_never=1, n_generation=0, gain=0.06, format_level=0.0)
    block = draw_scores(design, np.random.default_rng(0)).blocks["never0", "test"]
    tuned = [index for index, row in enumerate(block.rows) if row.method == "full" and row.dataset == "never0"]
    settings = Settings(draws=4000)
    for index in tuned[::4]:
        change = changes(block, [index])
        gained, lost = int((change.values[0] > 0).sum()), int((change.values[0] < 0).sum())
        theirs = mcnemar([[0, lost], [gained, 0]], exact=False, correction=False)
        draws = weighted_means(change.values, weights_of(block, settings))[0]
        ours = estimate(draws, n_items=block.n_items, confidence=0.95)
        z = np.sqrt(theirs.statistic / (1 - theirs.statistic / block.n_items))
        assert ours.effect == pytest.approx((gained - lost) / block.n_items)
        assert abs(ours.effect) / ours.se == pytest.approx(z, rel=0.05)
        assert (2 * min(ours.p_above(0.0), ours.p_below(0.0)) < 0.05) == (
            theirs.pvalue < 0.05
        ) or 0.04 < theirs.pvalue < 0.06


def gains_of(scores) -> pd.DataFrame:
    """The gain of every tuned model of the later half on its own dataset."""
    rows = []
    late = {point.checkpoint for point in scores.checkpoints["run"][-4:]}
    for (probe, _), block in scores.blocks.items():
        own = [i for i, r in enumerate(block.rows) if r.dataset == probe and r.method == "full"]
        own = [
            i for i in own if block.rows[i].format == block.rows[i].probe_format and block.rows[i].checkpoint in late
        ]
        change = changes(block, own)
        for row, value in zip(change.rows, change.values.mean(axis=1), strict=True):
            seed = f"{probe}/{row.seed}"
            rows.append({"dataset": probe, "seed": seed, "checkpoint": row.checkpoint, "gain": value})
    frame = pd.DataFrame(rows)
    return frame.assign(never=frame["dataset"].str.startswith("never").astype(float), one=1)


def mixed_model(frame: pd.DataFrame) -> tuple[float, float]:
    """Difference of the classes and its standard error; datasets, their seeds and checkpoints are random (REML)."""
    levels = {"dataset": "0 + C(dataset)", "seed": "0 + C(seed)", "checkpoint": "0 + C(checkpoint)"}
    model = MixedLM.from_formula("gain ~ never", frame, groups="one", re_formula="0", vc_formula=levels)
    found = model.fit(reml=True)
    return float(found.params["never"]), float(found.bse["never"])


@pytest.mark.filterwarnings("ignore")  # some variances are 0
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scatter", [0.0, 0.08])
def test_gains_of_datasets_are_those_of_a_mixed_model(scatter, seed):
    design = replace(EIGHT, gain_sd=scatter)
    scores = draw_scores(design, np.random.default_rng(seed))
    ours = CLAIM.test(Tables.of(measurements=floors_table(design), scores=scores), Settings(draws=400, permutations=1))
    effect, se = mixed_model(gains_of(scores))
    width = 2 * 2.45 * se  # t on 6 degrees of freedom: 8 datasets of 2 classes
    assert ours.effect == pytest.approx(effect, abs=0.015)
    assert 0.6 < (ours.high - ours.low) / width < 1.7
