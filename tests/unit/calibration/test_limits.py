"""The limits of verdicts and intervals, on few studies: beyond them by more than chance is an error."""

from dataclasses import replace

import polars as pl
import pytest

from ripeness.calibration.designs import CELLS, Cell
from ripeness.calibration.judging import SCHEMA, judged, rows_of, settings_of, studies_of
from ripeness.calibration.loss_studies import LossDesign
from ripeness.calibration.own_studies import claims_on
from ripeness.calibration.page import page
from ripeness.calibration.rates import Limit, families, limits, rates
from ripeness.calibration.ripe_studies import SET
from ripeness.calibration.score_studies import ScoreDesign
from ripeness.calibration.truths import (
    right_on_both,
    right_on_effect,
    right_on_no_harm,
    right_on_none,
    truths_on_losses,
    truths_on_scores,
)
from ripeness.findings.needs import has_networks
from ripeness.findings.register import CLAIMS

SUPPORTED, SMALL, REVERSED = {"supported"}, {"too small to matter"}, {"reversed"}
SMALL_STUDY = ScoreDesign(n_checkpoints=4, n_seeds=2, n_items=40, n_learned=1, n_never=1, n_generation=1)


def test_studies_are_decided_at_the_whole_allowed_error_that_limits_are_about():
    settings = settings_of(CELLS[0], 0, 20)
    assert settings.look == 1 and settings.decided_level == settings.level == 0.05


@pytest.mark.parametrize(
    ("rule", "above", "limit", "inside", "below"),
    [
        (right_on_effect, SUPPORTED, set(), SMALL, REVERSED),
        (right_on_none, REVERSED, set(), SUPPORTED, REVERSED),
        (right_on_no_harm, REVERSED, set(), SUPPORTED, SUPPORTED),
    ],
)
def test_what_is_right_follows_from_where_the_truth_lies(rule, above, limit, inside, below):
    assert [set(rule(effect, 0.02)) for effect in (0.03, 0.02, 0.0, -0.03)] == [above, limit, inside, below]


def test_of_two_parts_both_must_hold():
    holds, small = right_on_effect(0.1, 0.02), right_on_effect(0.0, 0.02)
    harmless, harm = right_on_no_harm(0.0, 0.02), right_on_no_harm(0.1, 0.02)
    assert right_on_both(holds, harmless) == SUPPORTED
    assert right_on_both(small, harmless) == SMALL and right_on_both(holds, harm) == REVERSED
    assert right_on_both(right_on_effect(0.02, 0.02), harmless) == set()


def test_at_the_edge_no_claim_of_an_effect_holds():
    (edge,) = [cell for cell in CELLS if cell.name == "edge"]
    truths = truths_on_scores(edge.scores) | truths_on_losses(edge.losses)
    assert {name for name, truth in truths.items() if truth.right} == {"learned-in-pretraining"}


def test_the_page_names_the_claims_that_it_is_not_about():
    truths = truths_on_scores(ScoreDesign()) | truths_on_losses(LossDesign())
    assert truths.keys() <= {claim.id for claim in CLAIMS if has_networks not in claim.needs}
    text = page(table(["undecided"]).with_columns(finding=pl.lit("mitigation")), [], command="make calibrate")
    (line,) = [line for line in text.splitlines() if line.startswith("Not in this table")]
    assert "pull-delays" in line and "turning-point" in line and "mitigation" not in line


def test_a_study_is_the_same_in_any_order_and_on_any_number_of_processors():
    cell = Cell("small", scores=SMALL_STUDY)
    whole = studies_of(cell, range(3), 20)
    assert whole["finding"].n_unique() == 5 and whole.schema == SCHEMA
    assert whole.filter(study=2).equals(studies_of(cell, range(2, 3), 20))
    other = Cell("another name", scores=SMALL_STUDY)
    assert rows_of(other, 0, 20)[1]["effect"] != rows_of(cell, 0, 20)[1]["effect"]
    ((_, parallel),) = judged([cell], studies=3, jobs=2, draws=20, first=0)
    assert parallel.equals(whole)


@pytest.mark.release
def test_a_power_cell_gets_what_must_be_found():
    cell = Cell("power", scores=SMALL_STUDY, losses=LossDesign(n_checkpoints=4, n_datasets=1), reach=2)
    ((drawn, rows),) = judged([cell], studies=1, jobs=1, draws=20)
    assert drawn.scores.gain_gap > 0.02 and drawn.scores.carried == 0 and rows["cell"].unique().to_list() == ["power"]
    truth = truths_on_scores(drawn.scores)["gain-by-learning"].effects[""]
    assert rows.filter(finding="gain-by-learning")["truth"][0] == pytest.approx(truth) and truth > 0.02


def test_what_must_be_found_follows_from_the_reach():
    rows = table(["supported"] * 5 + ["undecided"] * 5, holds=True).with_columns(power_at_zero=pl.lit(0.65))
    effect, none = (rows.with_columns(finding=pl.lit(name)) for name in ("gain-by-learning", "transfer-within-type"))
    shares = {limit.what: (limit.low, limit.high) for limit in limits(effect, {"c": 2})}
    assert shares["supported where true"] == (0.9, 1.0) and shares["left undecided"] == (0.0, 0.2)
    assert {limit.what: limit.low for limit in limits(effect, {"c": 1})}["supported where true"] == 0.7
    assert {limit.what: limit.low for limit in limits(none, {"c": 1})}["supported where true"] == pytest.approx(0.55)
    assert "supported where true" not in {limit.what for limit in limits(effect, {})}


def table(verdicts, *, holds=False, low=-1.0):
    rows = [
        {"cell": "c", "study": k, "finding": "f", "verdict": v, "is_right": v == "undecided" or holds, "holds": holds}
        | {"effect": 0.0, "low": low, "high": 1.0, "truth": 0.0}
        for k, v in enumerate(verdicts)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def test_claims_of_the_users_own_are_false_by_the_least_that_can_be_and_counted():
    rows = studies_of(Cell("own", scores=SMALL_STUDY, is_own=True), range(1), 20)
    assert rows["finding"].to_list() == [claim.name for claim in claims_on(SMALL_STUDY)] and not rows["holds"].any()
    scattered = [claim.name for claim in claims_on(replace(SMALL_STUDY, gain_sd=0.1))]
    assert scattered == rows["finding"].to_list()[:2]  # one dataset has a truth of its own then
    text = page(pl.concat([rows, table(["undecided"] * 3)]), [], command="make calibrate")
    assert "Each of 2 cells has 1 to 3 studies: a share of 5% or 95% has a standard error of 21.8 to 12.6." in text


def test_the_coverage_of_a_set_is_the_share_that_the_best_is_in():
    rows = table(["answered"] * 10).with_columns(
        finding=pl.lit(SET), is_right=pl.Series([True] * 9 + [False]), truth=pl.lit(None, pl.Float64)
    )
    (line,) = [one for one in page(rows, [], command="make calibrate").splitlines() if one.startswith(f"| c | {SET}")]
    assert "| 10.0 ± 9.5 | 90.0 ± 9.5 |" in line


def test_rates_count_verdicts_coverage_and_false_ones():
    rows = pl.concat([table(["supported"] * 3 + ["undecided"] * 5), table(["reversed", "undecided"], low=0.5)])
    (row,) = rates(rows).iter_rows(named=True)
    assert (row["n"], row["supported"], row["reversed"], row["false"]) == (10, 0.3, 0.1, 0.4)
    assert (row["coverage"], row["n_intervals"]) == (0.8, 10)
    assert families(table(["supported", "undecided"]))["supported"].to_list() == [0.5]


def test_limits_are_broken_beyond_chance_only():
    assert Limit("c", "f", "w", 0.06, 500, high=0.05).is_kept and not Limit("c", "f", "w", 0.08, 500, high=0.05).is_kept
    assert Limit("c", "f", "w", 0.90, 100, low=0.92, high=0.97).is_kept
    assert not Limit("c", "f", "w", 0.80, 100, low=0.92, high=0.97).is_kept
    assert not Limit("c", "f", "w", 1.00, 500, low=0.92, high=0.97).is_kept
    found = {limit.what: limit.share for limit in limits(table(["supported"] * 9 + ["undecided"]), {})}
    assert found == {"falsely supported": 0.9, "interval covers": 1.0}
    assert "0 of 3 limits" not in page(table(["undecided"] * 40), [], command="make calibrate")
    assert "| c | f | falsely supported | 90.0 ± 9.5 | at most 5% | 10 |" in page(
        table(["supported"] * 9 + ["undecided"]), [], command="make calibrate"
    )
