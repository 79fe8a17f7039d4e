"""What is drawn is what is said to be true: with many items and seeds, findings estimate it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from planted import as_items

from ripeness.calibration.loss_studies import LossDesign, draw_losses
from ripeness.calibration.noise import answers, autocorrelated, difficulties
from ripeness.calibration.own_studies import claims_on, effects_on
from ripeness.calibration.ripe_studies import RipeDesign, draw_ripe, ripe_rows
from ripeness.calibration.score_studies import ScoreDesign, draw_scores, floors_table
from ripeness.calibration.truths import truths_on_losses, truths_on_scores
from ripeness.findings.finding import Settings
from ripeness.findings.own_claims import own_findings
from ripeness.findings.register import all_findings
from ripeness.findings.scores import Scores, Wanted, read_scores
from ripeness.findings.study_tables import Tables

FAST = Settings(draws=20, permutations=1)
LARGE = ScoreDesign(
    n_items=10_000, n_seeds=1, n_checkpoints=8, seed_sd=0.0, gain_gap=0.04, format_fall=0.03, harm_generation=0.06,
    harm_choice=0.03, carried=0.05,
)  # fmt: skip
CLEAN = {"checkpoint_sd": 1e-6, "loss_sd": 1e-6, "draw_sd": 1e-3, "seed_sd": 1e-6}


def found_on(design: ScoreDesign | LossDesign, seed: int = 0):
    rng = np.random.default_rng(seed)
    if isinstance(design, LossDesign):
        tables = Tables.of(**draw_losses(design, rng), scores=Scores())
    else:
        tables = Tables.of(measurements=floors_table(design), scores=draw_scores(design, rng))
    return {finding.id: finding for finding in all_findings(tables, FAST)}


def test_answers_have_their_expected_mean():
    expected = np.array([0.0, 0.03, 0.4, 0.97, 1.0])
    for is_choice in (True, False):
        rng = np.random.default_rng(0)
        values = answers(expected, np.arange(5), difficulties(100_000, 5, rng), is_choice=is_choice, rng=rng)
        assert values.mean(axis=1) == pytest.approx(expected, abs=0.005)
        assert set(np.unique(values)) == {0, 1} or not is_choice


def test_noise_has_its_variance_and_its_correlation():
    noise = autocorrelated((20, 20_000), 0.6, np.random.default_rng(0))
    assert noise.std(axis=1) == pytest.approx(np.ones(20), abs=0.03)
    assert np.corrcoef(noise[3], noise[4])[0, 1] == pytest.approx(0.6, abs=0.02)
    assert np.corrcoef(noise[3], noise[6])[0, 1] == pytest.approx(0.6**3, abs=0.02)


@pytest.mark.parametrize(
    "design",
    [LARGE, replace(LARGE, n_checkpoints=9, options=(4, 2)), replace(LARGE, is_logit_gain=True, gain=0.7)],
    ids=["effects", "nine checkpoints, two and four options", "logit gain"],
)
def test_with_many_items_every_effect_on_scores_is_the_true_one(design):
    found = found_on(design)
    for name, truth in truths_on_scores(design).items():
        tolerance = 0.05 if name == "learned-in-pretraining" else 0.012  # of one format, see ScoreDesign
        assert found[name].effect == pytest.approx(truth.effect(found[name].unit, found[name].part), abs=tolerance), (
            name
        )


@pytest.mark.parametrize(
    "design",
    [
        LossDesign(rise=0.1, noise_slope=0.5, moves=0.2, decay=0.7, kept=0.05, cost=0.03, chosen="helps", **CLEAN),
        LossDesign(fall=0.3, noise_slope=-0.4, moves=-0.2, decay=-0.7, kept=-0.05, cost=-0.03, **CLEAN),
    ],
    ids=["grows", "falls"],
)
def test_without_noise_every_effect_on_losses_is_the_true_one(design):
    found = found_on(design)
    for name, truth in truths_on_losses(design).items():
        assert found[name].effect == pytest.approx(truth.effect(found[name].unit, found[name].part), abs=0.002), name


@pytest.mark.parametrize("is_trained_first", [False, True])
def test_with_many_items_claims_of_the_users_own_have_their_true_effect(is_trained_first):
    design = replace(LARGE, is_trained_first=is_trained_first)
    tables = Tables.of(measurements=floors_table(design), scores=draw_scores(design, np.random.default_rng(0)))
    claims, effects = claims_on(design), effects_on(design)
    for claim, finding in zip(claims, own_findings(tables, claims, FAST), strict=True):
        assert claim.smallest == effects[claim.name]
        assert finding.effect == pytest.approx(effects[claim.name], abs=0.006), claim.name


def test_scatter_is_about_the_truth_and_as_large_as_said():
    small = ScoreDesign(n_items=100, gain_sd=0.08, n_generation=0, n_checkpoints=4, n_seeds=1)
    effects = [found_on(small, seed)["gain-by-learning"].effect for seed in range(40)]
    assert np.mean(effects) == pytest.approx(0.0, abs=3 * np.std(effects) / 40**0.5)
    assert 0.065 < np.std(effects) < 0.13  # sqrt(2 / 2) * 0.08, and the noise of items and seeds


def test_studies_are_what_collected_tables_hold(tmp_path):
    design = ScoreDesign(n_items=20, n_checkpoints=4, failed=0.2, is_uneven=True, n_never=1)
    drawn = draw_scores(design, np.random.default_rng(0))
    as_items(drawn).write_parquet(tmp_path / "items.parquet")
    read = read_scores([tmp_path / "items.parquet"], Wanted(), tmp_path)
    assert read.checkpoints == drawn.checkpoints
    for key, block in drawn.blocks.items():
        order = [block.rows.index(row) for row in read.blocks[key].rows]
        assert len(order) == len(block.rows)
        values = read.blocks[key].values[list(range(len(order)))]
        assert (values == block.values[order]).all()
    assert isinstance(floors_table(design), pl.DataFrame)


def test_the_best_checkpoint_is_the_one_that_scores_best():
    design = RipeDesign(n_items=20_000, n_validation=20_000, peak=0.1, checkpoint_sd=0.005, seed_sd=0.0, n_datasets=2)
    for seed in range(3):
        parts, means = draw_ripe(design, np.random.default_rng(seed))
        scores = np.mean([split["test"].mean(axis=(1, 2)) for split in parts.values()], axis=0)
        assert scores == pytest.approx(means, abs=0.01)
        last, chosen = ripe_rows(design, np.random.default_rng(seed), FAST)
        assert last["effect"] == pytest.approx(last["truth"], abs=0.01) and chosen["verdict"] == "answered"
