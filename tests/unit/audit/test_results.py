"""Checks of results: each on measurements that raise it, and on some that nearly do."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import audit_results
from ripeness.audit.results import RESULT_CHECKS, Results
from ripeness.study.audit_checks import as_rows, remark, with_passed
from ripeness.tables.columns import AUDIT, CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, conform, write_table
from ripeness.workflow.code_digest import modules_of

PLACE = {"series": "one", "checkpoint": "step8", "tokens": 8000, "phase": "stable", "format": "default", "seed": 1}
CHOICE = {"probe_kind": "choice", "metric": "accuracy", "is_primary": True, "chance": 0.5, "majority": 0.55, "se": 0.01}
TEXT = {"probe_kind": "generation", "metric": "rouge_l", "is_primary": True, "se": 0.01}
RTE, XSUM = CHOICE | {"probe": "rte"}, TEXT | {"probe": "xsum"}


def score(kind, value, *, dataset=None, **change):
    """A measurement of the untouched model, or of one that was tuned on a dataset."""
    row = PLACE | {"suite": "in-domain", "probe_format": "default", "shots": 0, "split": "test", "value": value}
    tuned = {"method": "full", "learning_rate": 1e-3, "dataset": dataset}
    return row | kind | (tuned if dataset else {"method": "base", "dataset": kind["probe"]}) | change


def cell(**change):
    return PLACE | {"dataset": "rte", "method": "full", "learning_rate": 1e-3, "status": "done"} | change


def answers(said, golds=("yes", "no"), n=10, **change):
    rows = []
    for number in range(n):
        row = score(RTE, None, dataset="rte") | {"item": str(number), "prediction": said[number % len(said)]}
        rows.append(
            {key: row[key] for key in row if key in ITEM_SCORES} | {"gold": golds[number % len(golds)]} | change
        )
    return rows


def results(*measurements, cells=(), items=()):
    chosen = {"is_chosen": True}
    tables = [(measurements, MEASUREMENTS), (cells, CELLS), (items, ITEM_SCORES)]
    made = [conform([chosen | row for row in rows], schema | IS_CHOSEN) for rows, schema in tables]
    return Results(made[0], made[1], made[2].lazy())


def published(*measurements):
    return replace(results(*measurements), items=None)


PREFERRING = cell(learns="preferences", method="dpo", dataset="hh", reason="")
POLICY = PREFERRING | {"method": "grpo", "learns": "policy"}
REWARDING = cell(learns="reward", method="rm", dataset="hh", reason="")
PAIRS = score(
    {"probe": "hh", "probe_kind": "preference", "metric": "preferred", "is_primary": True, "chance": 0.5, "se": 0.05},
    0.5,
    dataset="hh",
    method="rm",
)
LATER = {"checkpoint": "step9", "tokens": 9000}
# check -> (results that raise it, words of the remark, results that nearly do)
CASES = {
    "diverged-cells": [
        (results(cells=[cell(), cell(seed=2, status="diverged")]), "1 of 2 trainings", results(cells=[cell()])),
    ],
    "not-tuned": [
        (
            results(cells=[cell(displacement=0.0), cell(seed=2, displacement=0.5), cell(method="base", seed=3)]),
            "1 of 2 trainings changed no weight",
            results(cells=[cell(displacement=1e-9), cell(seed=2), cell(seed=3, status="diverged", displacement=0.0)]),
        ),
    ],
    "doubtful-preferences": [
        (
            results(cells=[PREFERRING | {"reason": "both answers became improbable: ..."}, PREFERRING | {"seed": 2}]),
            "1 of 2 trainings, such as step8: both answers became improbable",
            results(cells=[PREFERRING | {"reason": ""}, cell(reason="no finite displacement")]),
        ),
        (
            results(cells=[PREFERRING | {"reason": "the start gives the better answer more probability in 4%"}]),
            "the start gives the better answer more probability in 4%",
            results(cells=[PREFERRING | {"reason": "both answers became improbable", "status": "diverged"}]),
        ),
    ],
    "doubtful-policies": [
        (
            results(cells=[POLICY | {"reason": "of the start's own texts 0.5% are right; ..."}, POLICY | {"seed": 2}]),
            "1 of 2 trainings, such as step8: of the start's own texts 0.5% are right",
            results(
                cells=[POLICY | {"reason": ""}, PREFERRING | {"reason": "of the start's own texts 0.5% are right"}]
            ),
        ),
        (
            results(
                cells=[POLICY | {"reason": "the reward rose by 1 while what the rule says of the same texts fell"}]
            ),
            "the reward rose by 1",
            results(cells=[POLICY | {"reason": "the reward rose by 1", "status": "diverged"}]),
        ),
    ],
    "reward-at-chance": [
        (
            results(PAIRS | {"value": 0.58}, cells=[REWARDING]),
            "1 of 1 models are within 1.645 standard errors of chance on test pairs, such as step8 with 0.58",
            results(PAIRS | {"value": 0.6}, cells=[REWARDING]),
        ),
        (
            results(PAIRS | {"value": 0.4}, cells=[REWARDING]),
            "0.40",
            results(PAIRS | {"value": 0.4}, cells=[PREFERRING]),
        ),
    ],
    "missing-cells": [
        (
            results(cells=[cell(), cell(checkpoint="step9"), cell(seed=2)]),
            "1 cell that other checkpoints have are missing (rte)",
            results(cells=[cell(), cell(checkpoint="step9"), cell(series="two", seed=2)]),
        ),
        (results(cells=[cell(status="missing")]), "1 cell", results(cells=[cell(status="diverged")])),
    ],
    "tiny-base": [
        # XSum at 424,000 steps (Amuro and Char, arXiv 2408.06663): one ratio of +491 %
        (
            results(score(XSUM, 0.019), score(XSUM, 0.112, dataset="paws")),
            "in 1 of 1 comparisons the untouched score is below 0.05, ratios of change up to +489%",
            results(score(XSUM, 0.05), score(XSUM, 0.112, dataset="paws")),
        ),
        (
            results(score(XSUM, 0.0), score(XSUM, 0.1, dataset="paws")),
            "undefined",
            results(score(XSUM, 0.0), score(XSUM, 0.0, dataset="paws")),
        ),
        (
            results(score(XSUM, 0.01), score(XSUM, 0.1, dataset="paws")),
            "+900%",
            results(score(XSUM, 0.01, suite="validation"), score(XSUM, 0.1, dataset="paws", suite="validation")),
        ),
        (
            results(score(XSUM, 0.04), score(XSUM, 0.01, dataset="paws")),
            "up to -75%",
            results(score(XSUM, 0.06), score(XSUM, 0.01, dataset="paws")),
        ),
    ],
    "no-forgetting-at-chance": [
        (
            results(score(RTE, 0.556), score(RTE, 0.551, dataset="xsum")),
            "the untouched model is at the floor or below (0.56, chance or the commonest answer 0.55)",
            results(score(RTE, 0.58), score(RTE, 0.57, dataset="xsum")),
        ),
        (
            results(score(RTE, 0.5), score(RTE, 0.5, dataset="xsum")),
            "in 1 of 1",
            results(score(RTE, 0.5), score(RTE, 0.45, dataset="xsum"), score(RTE, 0.5, dataset="rte")),
        ),
    ],
    "below-majority": [
        (results(score(RTE, 0.24)), "1 of 1 accuracies, down to 0.24 (step8, base)", results(score(RTE, 0.49))),
        (results(score(RTE | {"majority": None}, 0.24)), "chance 0.50", results(score(RTE | {"chance": None}, 0.24))),
        (
            results(score(RTE, 0.3, dataset="rte")),
            "step8, full",
            results(score(RTE | {"majority": 0.9}, 0.5), score(XSUM, 0.0)),
        ),
    ],
    "no-number": [
        (
            results(
                score(RTE, 0.5, dataset="rte"),
                score(RTE, None, dataset="rte", seed=2, reason="1 of 9 items without a number: no finite x"),
                score(RTE | {"metric": "margin", "is_primary": False}, None, dataset="rte", seed=2, reason="the same"),
            ),
            "accuracy, margin without a number in 1 of 2 measurements of tuned models, e.g. one step8, rte (default, "
            "full at 0.001, seed 2): 1 of 9 items without a number: no finite x",
            results(score(RTE, 0.5, dataset="rte"), score(RTE, 0.0)),
        ),
        (
            results(score(XSUM, float("nan"))),
            "rouge_l without a number in 1 of 1 measurements of untouched models, e.g. one step8: it is no finite",
            results(score(XSUM, 0.0)),
        ),
    ],
    "tied-options": [
        (
            results(score(RTE | {"metric": "ties", "is_primary": False}, 0.2)),
            "in 1 of 1 measurements, up to 20%",
            results(score(RTE | {"metric": "ties", "is_primary": False}, 0.05)),
        ),
    ],
    "perhaps-one-label": [
        (
            published(score(RTE, 0.98), score(RTE, 1.0, **LATER)),
            "an accuracy of 0.98 untouched at the first checkpoint",
            published(score(RTE, 0.96), score(RTE, 1.0, **LATER)),
        ),
        (
            published(score(RTE, 0.5, tokens=0), score(RTE, 0.99, **LATER)),
            "an accuracy of 0.99 untouched at the first checkpoint",
            published(score(RTE, 0.5), score(RTE, 0.99, **LATER)),  # it has learned, and not all
        ),
        (
            published(score(RTE, 0.5), score(RTE, 1.0, **LATER), score(RTE, 0.13, probe_format="io", **LATER)),
            "1.00 in one format and 0.13 in another",
            published(score(RTE, 0.5), score(RTE, 1.0, **LATER), score(RTE, 0.45, probe_format="io", **LATER)),
        ),
    ],
    "one-answer": [
        (
            results(items=answers(["yes"])),
            "in 1 of 1 measurements of tuned models all answers are the same",
            results(items=answers(["yes"] * 9 + ["no"])),
        ),
        (
            results(items=answers(["yes"], method="base")),
            "untouched",
            results(items=[*answers(["yes"], golds=["yes"]), *answers(["yes"], n=9, seed=2)]),
        ),
    ],
}


@pytest.mark.parametrize("check", RESULT_CHECKS)
def test_a_check_sees_what_it_should_and_not_what_is_nearly_so(check):
    assert list(RESULT_CHECKS[check](results())) == []
    for raising, words, near in CASES[check]:
        found = list(RESULT_CHECKS[check](raising))
        assert len(found) == 1 and words in found[0].seen, found
        assert found[0].check == check and found[0].where
        assert list(RESULT_CHECKS[check](near)) == []


def test_the_table_has_the_remarks_on_inputs_and_on_results(tmp_path, synthetic_folder):
    inputs = with_passed([remark("overlap", "rte", "3 of 9")], ["overlap", "no-stop"], {"overlap": "meant"})
    write_table(tmp_path / "inputs.parquet", as_rows(inputs), AUDIT)
    words = [f"--{name}={synthetic_folder / name}.parquet" for name in ("measurements", "cells")]
    words += [f"--items={synthetic_folder / 'items'}", "--inputs", str(tmp_path / "inputs.parquet")]
    words += ["--acknowledge", '{"missing-cells": "seen to"}', "--output", str(tmp_path / "audit.parquet")]
    audit_results.main(words)
    table = pl.read_parquet(tmp_path / "audit.parquet")
    assert table.columns == list(AUDIT) and table["check"][0] == "overlap"
    assert set(table["check"]) == {"overlap", "no-stop", *RESULT_CHECKS}
    found = {row["check"]: row for row in table.iter_rows(named=True)}
    assert found["diverged-cells"]["seen"] == "1 of 54 trainings diverged"
    assert found["missing-cells"]["is_acknowledged"] and found["missing-cells"]["reason"] == "seen to"
    assert found["tied-options"]["severity"] == "passed"


def test_of_published_numbers_the_checkpoints_are_audited_that_they_name(tmp_path):
    # PAWS untouched and tuned on Social IQa, XSum untouched and tuned on PAWS (Amuro and Char, their repository)
    steps = [1000, 18000, 342000, 424000, 505000, 592000, 738000, 738020]
    paws = CHOICE | {"probe": "paws", "majority": 0.558, "se": 0.0055}
    values = [(paws, None, 0.558), (paws, "socialiqa", 0.558), (XSUM, None, 0.019), (XSUM, "paws", 0.112)]
    rows = [
        score(kind, value, dataset=dataset, checkpoint=f"step{step}", step=step, tokens=step * 4_194_304, seed=None)
        for step in steps
        for kind, dataset, value in values
    ]
    made = results(*rows)
    write_table(tmp_path / "measurements.parquet", made.measurements, MEASUREMENTS | IS_CHOSEN)
    write_table(tmp_path / "cells.parquet", made.cells, CELLS | IS_CHOSEN)
    words = [f"--{name}={tmp_path / name}.parquet" for name in ("measurements", "cells")]
    audit_results.main([*words, "--inputs", "--items", "--output", str(tmp_path / "audit.parquet")])
    table = pl.read_parquet(tmp_path / "audit.parquet")
    assert not {"one-answer", "overlap"} & set(table["check"])
    seen = dict(table.filter(pl.col("severity") != "passed").select("check", "seen").iter_rows())
    assert seen.keys() == {
        *("uneven-tokens", "near-identical-checkpoints", "single-pretraining-run"),
        *("tiny-base", "no-forgetting-at-chance", "single-seed"),
    }
    assert seen["single-seed"] == "every model is tuned once, as far as the table says, which names no seed"
    sevens = made.measurements.with_columns(seed=pl.lit(7))
    write_table(tmp_path / "measurements.parquet", sevens, MEASUREMENTS | IS_CHOSEN)
    audit_results.main([*words, "--output", str(tmp_path / "audit.parquet")])
    assert "with seed 7" in str(pl.read_parquet(tmp_path / "audit.parquet").filter(check="single-seed")["seen"][0])
    assert "in 8 of 8 comparisons" in seen["no-forgetting-at-chance"] and "+489%" in seen["tiny-base"]
    assert "20 steps" in seen["near-identical-checkpoints"]


def test_one_answer_of_tuned_models_is_a_warning_and_of_untouched_ones_a_note():
    for method, severity in [("full", "warning"), ("base", "note")]:
        (seen,) = RESULT_CHECKS["one-answer"](results(items=answers(["yes"], method=method)))
        assert seen.severity == severity


def test_neither_torch_nor_a_model_is_needed_to_audit_results():
    scripts = Path(audit_results.__file__).parent
    used = {str(path.relative_to(scripts)) for path in modules_of(scripts / "audit_results.py")}
    assert "ripeness/audit/grid.py" in used
    assert not any(path.startswith("ripeness/models") or path.endswith("prompts.py") for path in used)
