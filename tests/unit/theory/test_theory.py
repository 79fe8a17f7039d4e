"""The study of the theory: settings, tables of a simulated seed, findings that can be contradicted, figures."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import vl_convert

import collect_simulations
import simulate_linear_network
import write_report
from ripeness.figures import theory_charts, theory_frames
from ripeness.findings.finding import Settings
from ripeness.findings.register import THEORY, as_rows, theory_findings
from ripeness.findings.theory.fine_tuning import rises
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.study.load import load_study
from ripeness.study.schema import check_config
from ripeness.study.theory_settings import settings_from, steps_of
from ripeness.tables.theory_columns import SIMULATED, by_name, facts_of_simulation
from ripeness.theory.simulation import simulate
from ripeness.workflow.lookups import audit as audit_lookups
from ripeness.workflow.lookups import collect as collect_lookups
from ripeness.workflow.lookups import provenance as provenance_lookups
from ripeness.workflow.lookups import shared
from ripeness.workflow.lookups import theory as theory_lookups

STUDY = {"study": "t", "title": "t", "theory": {}}
# A small network, quick to simulate.
SMALL = {
    "seeds": [1, 2], "width": 8, "n_checkpoints": 6, "first_time": 3.0, "last_time": 60.0, "gammas": [0.06, 0.2],
    "draws": 60, "steps": 40, "rates": [0.01, 0.03, 0.1, 60.0], "fixed_rates": [0.03, 0.1], "pulls": [0.0, 0.3],
}  # fmt: skip


def theory_of(**change):
    return check_config(STUDY | {"theory": SMALL | change})["theory"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The tables of two seeds of the small network, as the programs write and collect them."""
    folder = tmp_path_factory.mktemp("theory")
    values = theory_of()
    settings = json.dumps({key: value for key, value in values.items() if key != "seeds"})
    for seed in values["seeds"]:
        outputs = {f"--{name.replace('_', '-')}": folder / f"seed{seed}" / f"{name}.parquet" for name in SIMULATED}
        arguments = {"--study": "t", "--settings": settings, "--seed": seed} | outputs
        simulate_linear_network.main([str(word) for pair in arguments.items() for word in pair])
    for name in SIMULATED:
        seeds = [str(folder / f"seed{seed}" / f"{name}.parquet") for seed in values["seeds"]]
        collect_simulations.main(["--table", name, "--simulated", *seeds, "--output", str(folder / f"{name}.parquet")])
    return by_name([folder / f"{name}.parquet" for name in SIMULATED])


def test_a_study_of_the_theory_has_defaults_and_no_other_keys():
    values = check_config(STUDY)["theory"]
    assert (values["width"], values["targets"]["aligned"]) == (32, {"factor": 1.5, "first": 4, "rotation": 0.0})
    assert settings_from(values).targets["slightly-rotated"].rotation == 0.15
    with pytest.raises(UserError, match="'methods'"):
        check_config(STUDY | {"methods": {"base": {"shots": [0]}}})


def test_a_study_of_the_theory_plans_no_cell_and_has_its_own_tables(tmp_path):
    study = load_study(copy.deepcopy(STUDY), tmp_path)
    assert (study.checkpoints, study.tasks, study.recipes) == ({}, {}, {}) and not shared.runs_models(study)
    assert collect_lookups.measurements_table(study) == audit_lookups.audit_table(study) == []
    assert tuple(SIMULATED) == theory_lookups.TABLES
    assert theory_lookups.theory_tables(study)[0] == "results/t/tables/noisy_networks.parquet"
    found = theory_lookups.tables_of_seeds(study, SimpleNamespace(table="learned_features"))
    assert found[0] == "results/t/theory/seed1/learned_features.parquet" and len(found) == 5
    more = load_study(STUDY | {"theory": {"seeds": [1, 2, 3, 4, 5, 6]}}, tmp_path)
    assert theory_lookups.theory_settings(study) == theory_lookups.theory_settings(more)
    assert json.loads(provenance_lookups.config_json(study))["theory"]["seeds"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first_time": 200.0}, "first_time: 200 is not before last_time, 60"),
        ({"n_checkpoints": 200}, "n_checkpoints: 200 checkpoints"),
        ({"fixed_rates": [0.02]}, "fixed_rates: 0.02 is not one of the rates"),
        ({"pulls": [0.1]}, "pulls: 0 is missing"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, change, said):
    with pytest.raises(UserError, match=f"(?s)theory.{said}.*hint: "):
        load_study(STUDY | {"theory": SMALL | change}, tmp_path)
    with pytest.raises(UserError, match="(?s)'roation'.*rotation"):
        check_config(STUDY | {"theory": {"targets": {"mine": {"roation": 0.1}}}})


def test_checkpoints_are_even_in_the_logarithm_of_time():
    steps = steps_of(settings_from(theory_of()))
    assert (steps[0], steps[-1], len(steps)) == (30, 600, 6)
    assert np.diff(np.log(steps)) == pytest.approx(np.log(20) / 5, abs=0.03)


def test_tables_have_a_row_for_everything_that_was_simulated(tables):
    assert tables["noisy_networks"].height == 2 * 6 * 2 and tables["learned_features"].height == 2 * 9 * 2
    tuned = tables["tuned_networks"]
    assert tuned.height == 2 * 6 * 4 * 4 * 2
    assert tuned.filter("is_chosen").height == tuned.height / 4
    assert set(tuned.filter(pl.col("loss").is_null())["rate"]) == {60.0} == set(tuned["rate"]) - {0.01, 0.03, 0.1}
    assert not tuned.filter("is_chosen")["loss"].has_nulls()
    assert set(tuned.filter("is_fixed")["rate"]) == {0.03, 0.1}
    facts = facts_of_simulation(tables)
    assert (facts["width"], facts["seeds"], facts["n_diverged"]) == (8, [1, 2], tuned.height / 4)


def test_the_rate_is_chosen_on_other_examples_and_not_on_the_loss_that_is_reported(tables):
    place = ["seed", "checkpoint", "target", "pull"]
    tuned = tables["tuned_networks"].filter(pl.col("loss").is_not_null())
    best = tuned.sort("validation_loss").unique(place, keep="first")
    assert best["is_chosen"].all()
    assert not tuned.sort("task_loss").unique(place, keep="first")["is_chosen"].all()


def test_seeds_are_apart_and_the_same_again(tables):
    noisy = tables["noisy_networks"].filter(gamma=0.06)
    one, two = (noisy.filter(seed=seed)["loss"].to_numpy() for seed in (1, 2))
    assert (one != two).all()
    again = settings_from(theory_of())
    rows = [row for row in simulate(again, "t", 1)["noisy_networks"] if row["gamma"] == 0.06]
    assert [row["loss"] for row in rows] == one.tolist()


def test_a_rise_is_after_the_checkpoint_that_is_best_for_the_other_seeds():
    values = np.array([[4.0, 2.0, 3.0], [4.0, 3.0, 2.0], [4.0, 2.0, 3.0]])
    # for the second seed the others say that the middle is best
    assert rises(values) == pytest.approx([0.5, 2 / 3 - 1, 0.5])
    falling = np.array([[3.0, 2.0, 1.0], [5.0, 2.0, 1.0]])
    assert rises(falling).tolist() == [0.0, 0.0]


def test_findings_come_from_the_tables(tables):
    found = {finding.id: finding for finding in theory_findings(tables, Settings())}
    assert list(found) == list(THEORY)
    assert all(finding.source == "Springer et al. 2025, section 4" for finding in found.values())
    assert found["sensitivity-grows"].verdict == "supported"
    assert abs(found["learned-at-a-loss"].effect) < 10
    assert found["fixed-rate-degrades"].n_seeds == 2 and len(found["fixed-rate-degrades"].details) == 8
    assert "reversed" in found["tuned-rate-rotated"].caveats[-1]


def turned(tables, name, column, value):
    """The tables with one column of one of them replaced."""
    return tables | {name: tables[name].with_columns(value.alias(column))}


def verdict(tables, name):
    return THEORY[name](tables, Settings()).verdict


def test_every_claim_can_come_out_contradicted(tables):
    shift = 1 + 0.001 * pl.col("seed")  # so that intervals have a width
    late, tuned = pl.col("checkpoint"), "tuned_networks"
    falls, rise = (1.0 - 0.1 * late) * shift, (1.0 + 0.2 * late) * shift
    assert verdict(turned(tables, "noisy_networks", "increase", falls), "sensitivity-grows") == "contradicted"
    doubled = pl.col("threshold") / 2
    assert verdict(turned(tables, "learned_features", "threshold", doubled), "learned-at-a-loss") == "contradicted"
    for name in ("fixed-rate-degrades", "pull-does-not-cure"):
        assert verdict(turned(tables, tuned, "loss", falls), name) == "contradicted"
        assert verdict(turned(tables, tuned, "loss", rise), name) == "supported"
    assert verdict(turned(tables, tuned, "task_loss", rise), "tuned-rate-aligned") == "contradicted"
    assert verdict(turned(tables, tuned, "task_loss", falls), "tuned-rate-aligned") == "supported"
    assert verdict(turned(tables, tuned, "task_loss", rise), "tuned-rate-rotated") == "supported"
    assert verdict(turned(tables, tuned, "task_loss", falls), "tuned-rate-rotated") == "contradicted"
    earlier = pl.when(pl.col("pull") > 0).then(rise).otherwise(falls)
    assert verdict(turned(tables, tuned, "loss", earlier), "pull-delays") == "contradicted"


def test_one_seed_decides_nothing(tables):
    one = {name: table.filter(seed=1) for name, table in tables.items()}
    found = theory_findings(one, Settings())
    assert {finding.verdict for finding in found} == {"undecided"}
    assert "one seed has no spread" in found[0].statement and json.dumps(as_rows(found), allow_nan=False)


@pytest.mark.parametrize("name", theory_charts.FIGURES)
def test_every_figure_is_valid_vega_lite_and_has_no_gaps(name, tables):
    figure = theory_charts.FIGURES[name]
    frame = figure.data(tables)
    assert frame.height and frame["value"].null_count() == 0 and (frame["n_seeds"] == 2).all()
    assert (frame["low"] <= frame["value"]).all() and (frame["value"] <= frame["high"]).all()
    figure.chart(frame).to_dict()  # checks itself against the schema of Vega-Lite
    one = figure.data({table: rows.filter(seed=1) for table, rows in tables.items()})
    figure.chart(one).to_dict(validate=False)


def test_the_predicted_turn_is_the_last_feature_above_the_threshold(tables):
    frame = theory_frames.features(tables).filter(panel="by features learned")
    turns = dict(frame.filter(pl.col("turn").is_not_null()).select("gamma", "turn").unique().iter_rows())
    # 2 * 0.06^2 * 8 = 0.0576 is below all of 1 to 1/8; 2 * 0.2^2 * 8 = 0.64 below the first
    assert turns == {0.06: 8, 0.2: 1}


def test_the_report_has_findings_and_figures_and_no_scores(tables, tmp_path, monkeypatch):
    for name in theory_charts.FIGURES:
        for kind, text in (("json", "{}"), ("svg", "<svg/>"), ("csv", "a\n")):
            (tmp_path / f"{name}.{kind}").write_text(text)
    for name, table in tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    write_json(tmp_path / "findings.json", as_rows(theory_findings(tables, Settings())))
    write_json(tmp_path / "provenance.json", {"command": "c", "study": {"title": "T"}})
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda *_, **__: "")
    options = {"findings": tmp_path / "findings.json", "figures": tmp_path}
    options |= {"provenance": tmp_path / "provenance.json", "output": tmp_path / "report.html"}
    simulated = [str(tmp_path / f"{name}.parquet") for name in tables]
    words = [f"--{name}={value}" for name, value in options.items()]
    write_report.main([*words, "--measurements", "--cells", "--simulated", *simulated, "--audit"])
    page = (tmp_path / "report.html").read_text()
    assert "two-layer linear networks of width 8, 6 checkpoints each, 2 seeds" in page
    assert page.count('id="finding-') == len(THEORY) and page.count("<figure ") == len(theory_charts.FIGURES)
    assert all(f'<section id="{name}">' not in page for name in ("audit", "scores", "rates", "prompts"))
    assert "seeds" in page and "system-message" not in page
