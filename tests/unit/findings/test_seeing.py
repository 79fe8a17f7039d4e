"""Claims on models that read pictures, on studies whose truth is planted, in both directions."""

import re
from dataclasses import replace

import polars as pl
import pytest
from seeing_worlds import SETTINGS, Seen, judged, planted

from ripeness.figures.register import BY_ID
from ripeness.findings.left_out import members_of, without
from ripeness.findings.register import CLAIMS
from ripeness.findings.seeing import blind_methods, judged_stages, stages_of, without_first
from ripeness.findings.study_tables import Tables

OURS = ("worse-at-seeing", "read-off-pictures", "first-stage-saves")
FALLS = (0.5, 0.65, 0.8, 0.9, 0.85, 0.75, 0.65, 0.55)
RISES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_the_stages_are_found_by_what_starts_from_a_projector():
    cells = planted(Seen()).cells
    assert [(one.first, one.second, one.steps) for one in stages_of(cells)] == [
        ("see", "look", 200),
        ("untrained", "joint", 1),
    ]
    stages = judged_stages(cells, SETTINGS)
    assert stages and stages.second == "look" and blind_methods(cells) == ["blind"]
    assert judged_stages(cells, replace(SETTINGS, method="joint")).second == "joint"
    without = without_first(cells, stages)
    assert without and without.second == "joint"
    longer = cells.with_columns(steps=pl.when(method="untrained").then(50).otherwise("steps"))
    assert without_first(longer, stages) is None


@pytest.mark.parametrize(("own", "verdict"), [(FALLS, "supported"), (RISES, "reversed")])
def test_a_fall_of_the_score_is_found_with_its_turning_point_and_a_rise_is_not_one(own, verdict):
    one = judged("worse-at-seeing", Seen(own=own, n_items=600, sd=0.003))
    assert one.verdict == verdict and one.n_checkpoints == 8 and one.n_seeds == 3
    truth = max(own[:-1]) - own[-1]
    assert one.effect == pytest.approx(truth, abs=0.08) and one.low < truth < one.high
    assert ("The score turns at 8k tokens" in one.statement) == (own is FALLS), one.statement
    assert "On the loss of right answers the same contrast is" in one.statement


def test_a_score_that_stays_is_not_worse():
    found = [judged("worse-at-seeing", Seen(own=(0.9,) * 8, n_items=400), seed).verdict for seed in range(5)]
    assert found.count("supported") == 0


@pytest.mark.parametrize(
    ("own", "other", "verdict", "share"),
    [(0.9, 0.25, "supported", 0.0), (0.6, 0.6, "too small to matter", 1.0), (0.5, 0.8, "reversed", 1.0)],
)
def test_what_is_read_off_and_what_is_guessed_are_distinguished(own, other, verdict, share):
    one = judged("read-off-pictures", Seen(own=(own,) * 8, other=other, n_items=600, sd=0.0))
    assert one.verdict == verdict, one
    assert one.effect == pytest.approx(own - other, abs=0.03) and one.low < own - other < one.high
    needs_none = int(re.search(r"(\d+)% needs no picture", one.statement)[1]) / 100
    assert needs_none == pytest.approx(share, abs=0.04) and one.n_items == 600
    assert f"its own {own:.2f}"[:-1] in one.statement and "without any 0.2" in one.statement
    assert {row["picture"] for row in one.details} == {"own", "exchanged", "blank"}


def test_half_of_the_skill_may_be_guessed():
    one = judged("read-off-pictures", Seen(own=(0.85,) * 8, other=0.55, n_items=600, sd=0.0))
    assert one.verdict == "supported" and re.search("(4[7-9]|5[0-3])% needs no picture", one.statement)
    assert "Score of look with its own 0.8" in one.statement and "On these datasets: +0.3" in one.statement


def test_what_a_first_stage_saves_is_found_in_both_directions():
    saves = judged("first-stage-saves", Seen())
    assert saves.verdict == "supported" and saves.effect == pytest.approx(0.3, abs=0.03)
    turned = Seen(text={"look": (0.0, 0.1, 0.5), "joint": (0.0, 0.05, 0.2)})
    assert judged("first-stage-saves", turned).verdict == "reversed"
    same = Seen(text={"look": (0.0, 0.1, 0.3), "joint": (0.0, 0.1, 0.3)}, sd=0.002)
    assert judged("first-stage-saves", same).verdict == "too small to matter"
    assert "after a first stage (look) and by 0." in saves.statement and "saves +0.3" in saves.statement


def test_a_saving_is_at_an_equal_loss_on_the_answers():
    """At its rates alone the second training forgets more, since it learns more: at an equal loss nothing is saved."""
    learns = {"look": (1.0, 0.7, 0.4), "joint": (1.0, 0.4, 0.2)}
    forgets = {"look": (0.0, 0.1, 0.2), "joint": (0.0, 0.2, 0.4)}
    one = judged("first-stage-saves", Seen(answer=learns, text=forgets, sd=0.002))
    assert one.verdict == "too small to matter" and abs(one.effect) < 0.02


def test_a_first_stage_that_is_enough_alone_loses_nothing():
    one = judged("first-stage-saves", Seen(answer={"look": (0.1, 0.09, 0.08), "joint": (1.4, 0.9, 0.2)}))
    assert one.verdict == "supported" and one.effect == pytest.approx(0.5, abs=0.03)


def test_one_seed_decides_nothing():
    for name in OURS[1:]:
        one = judged(name, Seen(n_seeds=1))
        assert one.verdict == "undecided" and one.statement.startswith("Cannot be decided: "), name


def test_what_is_left_out_to_see_how_robust_a_claim_is_is_left_out_of_other_pictures_too():
    tables = planted(Seen())
    read_off = next(one for one in CLAIMS if one.id == "read-off-pictures")
    members = list(members_of(tables))
    assert {member.kind for member in members} == {"seed", "checkpoint"}  # a view is no dataset
    whole = read_off.test(tables, SETTINGS)
    assert (whole.n_seeds, whole.n_checkpoints) == (3, 8)
    found = {member.kind: read_off.test(without(tables, member), SETTINGS) for member in members}
    assert (found["seed"].n_seeds, found["seed"].n_checkpoints) == (2, 8)
    assert (found["checkpoint"].n_seeds, found["checkpoint"].n_checkpoints) == (3, 7)
    assert found["seed"].effect != whole.effect


def test_claims_are_tested_where_pictures_are_read_alone():
    tables = planted(Seen())
    text = tables.cells.with_columns(kind=pl.lit("full"), start=pl.lit(None, pl.String))
    plain = Tables.of(measurements=tables.measurements, cells=text, scores=tables.scores)
    for claim in (one for one in CLAIMS if one.id in OURS):
        assert claim.form_for(tables) and claim.form_for(plain) is None
    read_off = next(one for one in CLAIMS if one.id == "read-off-pictures")
    assert read_off.is_asked(SETTINGS) and not read_off.is_asked(replace(SETTINGS, views={}))


def test_the_figure_has_a_line_for_each_kind_of_picture_and_a_panel_for_each_part():
    figure = BY_ID["seeing"]
    frame = figure.frame(planted(Seen()), SETTINGS)
    assert set(frame["panel"]) == {"scenes", "scenes-colour"}
    lines = set(frame.select("panel", "picture").unique().rows())
    assert lines == {("scenes", name) for name in ("its own", "another", "grey", "none (question alone)")} | {
        ("scenes-colour", "none (question alone)")
    }
    figure.chart(frame).to_dict(validate=True)
    assert len(figure.says(frame)) > 20
    last = frame.filter(tokens=128_000, panel="scenes")
    values = dict(last.select("picture", "value").iter_rows())
    assert values["its own"] == pytest.approx(0.9, abs=0.06) and values["another"] == pytest.approx(0.25, abs=0.06)
