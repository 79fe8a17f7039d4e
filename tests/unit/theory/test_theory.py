"""The study of the theory: settings, tables of a simulated seed, findings that can be contradicted, figures."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import vl_convert
from networks import OF_NETWORKS, ON_NETWORKS, SMALL, STUDY, theory_of

import write_report
from ripeness.findings.finding import Settings
from ripeness.findings.register import all_findings, as_rows
from ripeness.findings.study_tables import Tables
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.study.load import load_study
from ripeness.study.schema import check_config
from ripeness.study.theory_settings import settings_from, steps_of
from ripeness.tables.theory_columns import SIMULATED, facts_of_simulation
from ripeness.theory.simulation import simulate
from ripeness.workflow.lookups import audit as audit_lookups
from ripeness.workflow.lookups import collect as collect_lookups
from ripeness.workflow.lookups import provenance as provenance_lookups
from ripeness.workflow.lookups import shared
from ripeness.workflow.lookups import theory as theory_lookups


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


def test_tables_have_a_row_for_everything_that_was_simulated(networks):
    assert networks["noisy_networks"].height == 2 * 6 * 2 and networks["learned_features"].height == 2 * 9 * 2
    tuned = networks["tuned_networks"]
    assert tuned.height == 2 * 6 * 4 * 4 * 2
    assert tuned.filter("is_chosen").height == tuned.height / 4
    assert set(tuned.filter(pl.col("loss").is_null())["rate"]) == {60.0} == set(tuned["rate"]) - {0.01, 0.03, 0.1}
    assert not tuned.filter("is_chosen")["loss"].has_nulls()
    assert set(tuned.filter("is_fixed")["rate"]) == {0.03, 0.1}
    facts = facts_of_simulation(networks)
    assert (facts["width"], facts["seeds"], facts["n_diverged"]) == (8, [1, 2], tuned.height / 4)


def test_the_rate_is_chosen_on_other_examples_and_not_on_the_loss_that_is_reported(networks):
    place = ["seed", "checkpoint", "target", "pull"]
    tuned = networks["tuned_networks"].filter(pl.col("loss").is_not_null())
    best = tuned.sort("validation_loss").unique(place, keep="first")
    assert best["is_chosen"].all()
    assert not tuned.sort("task_loss").unique(place, keep="first")["is_chosen"].all()


def test_seeds_are_apart_and_the_same_again(networks):
    noisy = networks["noisy_networks"].filter(gamma=0.06)
    one, two = (noisy.filter(seed=seed)["loss"].to_numpy() for seed in (1, 2))
    assert (one != two).all()
    again = settings_from(theory_of())
    rows = [row for row in simulate(again, "t", 1)["noisy_networks"] if row["gamma"] == 0.06]
    assert [row["loss"] for row in rows] == one.tolist()


def test_the_report_has_findings_and_figures_and_no_scores(networks, tmp_path, monkeypatch):
    for name in OF_NETWORKS:
        for kind, text in (("json", '{"description": "It grows"}'), ("svg", "<svg/>"), ("csv", "a\n")):
            (tmp_path / f"{name}.{kind}").write_text(text)
    for name, table in networks.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    write_json(tmp_path / "findings.json", as_rows(all_findings(Tables.of(simulated=networks), Settings())))
    write_json(tmp_path / "provenance.json", {"command": "c", "study": {"title": "T"}})
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda *_, **__: "")
    options = {"findings": tmp_path / "findings.json", "figures": tmp_path}
    options |= {"provenance": tmp_path / "provenance.json", "output": tmp_path / "report.html"}
    simulated = [str(tmp_path / f"{name}.parquet") for name in networks]
    words = [f"--{name}={value}" for name, value in options.items()]
    write_report.main([*words, "--measurements", "--cells", "--simulated", *simulated, "--audit"])
    page = (tmp_path / "report.html").read_text()
    assert "two-layer linear networks of width 8, 6 checkpoints each, 2 seeds" in page
    assert page.count('id="finding-') == len(ON_NETWORKS) and page.count("<figure ") == len(OF_NETWORKS)
    assert all(f'<section id="{name}">' not in page for name in ("audit", "scores", "rates", "prompts"))
    assert "seeds" in page and "system-message" not in page
