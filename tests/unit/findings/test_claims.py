"""Every claim is a unit: a folder of its own, in one register, with one form of test and no code that draws."""

from pathlib import Path

import polars as pl
import pytest

from ripeness.figures.register import BY_ID
from ripeness.findings import needs
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.register import CLAIMS, findings_on
from ripeness.findings.scores import Scores
from ripeness.findings.study_tables import Tables, read_tables
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform
from ripeness.workflow.code_digest import libraries_of, modules_of

SCRIPTS = Path(__file__).parents[3] / "scripts"
FINDINGS = SCRIPTS / "ripeness/findings"
FOLDERS = sorted(path.parent for path in FINDINGS.glob("*/claim.py"))
SHARED = {FINDINGS / "indicators"}  # what several claims, a figure and an answer read


def test_every_folder_is_a_claim_of_the_register_and_bears_its_id():
    ids = [claim.id for claim in CLAIMS]
    assert sorted(id_.replace("-", "_") for id_ in ids) == [folder.name for folder in FOLDERS]
    assert {path for path in FINDINGS.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(
        FOLDERS
    ) | SHARED
    for claim in CLAIMS:
        assert claim.judge.__module__ == f"ripeness.findings.{claim.id.replace('-', '_')}.claim"
        has_twin = (FINDINGS / claim.id.replace("-", "_") / "without_items.py").is_file()
        assert has_twin == (claim.judge_without_items is not None), claim.id
        assert all(getattr(needs, need.__name__) is need for need in claim.needs) and claim.needs, claim.id
        assert claim.figure in BY_ID and claim.text and claim.source and claim.unit, claim.id


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_finding_imports_shared_modules_and_its_own_and_none_of_another_finding(folder):
    others = set(FOLDERS) - {folder}
    for path in folder.glob("*.py"):
        assert not {module for module in modules_of(path) if module.parent in others}, path
    twin = folder / "without_items.py"
    assert not twin.is_file() or folder / "claim.py" not in modules_of(twin)


def test_no_code_that_draws_decides_a_finding():
    program = SCRIPTS / "judge_claims.py"
    names = {path.relative_to(SCRIPTS / "ripeness").parts[0] for path in modules_of(program)}
    assert "findings" in names and not names & {"figures", "report"}
    assert not libraries_of(program) & {"altair", "vl_convert"}
    assert "altair" in libraries_of(SCRIPTS / "plot_figure.py")


def text_rows(method: str, dataset: str, seed: int) -> list[dict]:
    place = {"series": "s", "checkpoint": "c", "step": 1, "tokens": 9, "phase": "stable", "suite": "x", "shots": 0}
    probe = {"probe": "prose", "probe_kind": "text", "probe_format": "text", "split": "test", "metric": "loss"}
    return [place | probe | {"method": method, "dataset": dataset, "format": "text", "seed": seed, "value": 2.0}]


MEASURED = conform(text_rows("base", "prose", 1) + text_rows("full", "quiz", 1), MEASUREMENTS | IS_CHOSEN)
CELL = conform([{"series": "s", "phase": "stable", "method": "full", "dataset": "quiz"}], CELLS | IS_CHOSEN)
NOISE = pl.DataFrame({"perturbation": ["noise"], "phase": ["stable"]})
WITH_ITEMS = ["learned-in-pretraining", "gain-by-learning", "format-spread"]
WITH_ITEMS += ["transfer-between-types", "transfer-within-type"]


def claims_for(**tables: object) -> list[str]:
    return [claim.id for claim in CLAIMS if claim.form_for(Tables.of(**tables))]


def test_which_claims_are_tested_follows_from_what_was_measured():
    bare = {"measurements": MEASURED.head(1), "scores": Scores()}
    assert claims_for() == []
    assert claims_for(measurements=MEASURED) == claims_for(measurements=MEASURED, cells=CELL) == WITH_ITEMS
    assert claims_for(**bare) == claims_for(**bare, cells=CELL) == WITH_ITEMS
    noise = ["progressive-sensitivity", "turning-point"]
    assert claims_for(**bare, cells=CELL, sensitivity=NOISE) == WITH_ITEMS + noise
    whole = {"measurements": MEASURED, "scores": Scores()}
    tuned = ["degradation-at-fixed-rate", "turning-point", "displacement-constancy"]
    assert claims_for(**whole, cells=CELL) == WITH_ITEMS + tuned
    assert claims_for(**whole) == WITH_ITEMS  # numbers that were read from a table have no cells of their own
    rates = pl.concat([CELL.with_columns(learning_rate=rate) for rate in (0.1, 0.2)])
    assert set(claims_for(**whole, cells=rates)) - set(WITH_ITEMS + tuned) == {"degradation-at-tuned-rate"}
    methods = pl.concat([CELL.with_columns(method=pl.lit(name)) for name in ("full", "lora")])
    assert set(claims_for(**whole, cells=methods)) - set(WITH_ITEMS + tuned) == {"mitigation"}
    phases = pl.concat([CELL.with_columns(phase=pl.lit(name)) for name in ("stable", "decayed")])
    assert set(claims_for(**whole, cells=phases)) - set(WITH_ITEMS + tuned) == {"decay-or-tokens"}
    told = [{"method": "full", "probe_kind": "choice"}, {"method": "base", "probe_kind": "choice", "metric": "margin"}]
    told = pl.concat([MEASURED, conform(told, MEASURED.schema)])
    said = {"text-loss-misleads", "discrimination-tells"}
    assert set(claims_for(measurements=told)) - set(WITH_ITEMS) == said
    assert not said & set(claims_for(measurements=told, scores=Scores()))  # there are items, and none are given
    short = pl.concat([CELL.with_columns(n_tokens=90), CELL.with_columns(n_tokens=30, method=pl.lit("brief"))])
    given = {"measurements": told, "scores": Scores(), "all_items": [], "cells": short.cast(dict(CELL.schema))}
    assert said | {"short-tuning-tells"} <= set(claims_for(**given))
    networks = [claim.id for claim in CLAIMS if needs.has_networks in claim.needs]
    assert claims_for(simulated={}) == networks and len(networks) == 7


def test_without_items_the_other_form_is_used():
    claim = CLAIMS[0]
    assert claim.form_for(Tables.of(measurements=MEASURED)) is claim.judge_without_items
    assert claim.form_for(Tables.of(measurements=MEASURED, scores=Scores())) is claim.judge
    assert {finding.id for finding in findings_on(Tables.of(measurements=MEASURED), Settings())} == set(WITH_ITEMS)


def test_a_finding_has_the_words_of_its_claim_unless_its_number_is_another_one():
    claim = CLAIMS[0]
    found = claim.worded(Finding(statement="So it is."))
    assert (found.id, found.claim, found.source, found.figure) == (claim.id, claim.text, claim.source, claim.figure)
    assert found.unit == claim.unit and found.statement == "So it is."
    other = claim.worded(Finding(unit="nats", figure="gain"))
    assert (other.unit, other.figure) == ("nats", "gain")


def test_a_table_is_read_once_and_when_it_is_asked_for(tmp_path):
    n_read = []
    tables = Tables({"cells": lambda: n_read.append(1) or CELL})
    assert n_read == [] and tables.has("cells") and not tables.has("items")
    assert tables.cells is tables.cells and n_read == [1]
    assert tables.sensitivity is None and tables.items is None and tables.findings == []
    with pytest.raises(UserError, match="the table of measurements is needed and was not given; given are: cells"):
        _ = tables.reported


def test_a_table_that_is_not_there_is_named_before_anything_is_read(tmp_path):
    MEASURED.write_parquet(tmp_path / "m.parquet")
    there = read_tables({"measurements": tmp_path / "m.parquet", "cells": None, "items": []}, Settings())
    assert there.measurements.equals(MEASURED) and not there.has("cells") and not there.has("scores")
    with pytest.raises(UserError, match="there is no .*no.parquet"):
        read_tables({"measurements": tmp_path / "m.parquet", "cells": tmp_path / "no.parquet"}, Settings())
