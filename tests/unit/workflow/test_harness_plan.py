"""Tasks of lm-evaluation-harness in the plan, the tables and the report; lm-eval itself is not needed here."""

import copy
import importlib.util
import json
import math
import statistics
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
import yaml
from harness_tasks import write_tasks

from ripeness.figures.register import FIGURES
from ripeness.findings.finding import Settings
from ripeness.findings.study_tables import Tables
from ripeness.measure.metrics import measure, score_harness
from ripeness.report import number_tables
from ripeness.report.page import facts_of
from ripeness.report.score_table import score_table
from ripeness.runtime.errors import UserError
from ripeness.study.grid import harness_tasks, plan_cells, probes_of
from ripeness.study.harness_files import files_of_task
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files
from ripeness.tables.columns import CELLS, ITEM_SCORES, MEASUREMENTS, conform
from ripeness.workflow.lookups import fetch
from ripeness.workflow.lookups import measure as measure_lookups
from ripeness.workflow.lookups import report as report_lookups

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
SUITES = {
    "reference": {"lm_eval": ["arc_easy", "My_Task"]},
    "few": {"lm_eval": ["arc_easy"], "shots": [4]},
}


def study_of(suites=SUITES, **change):
    config = copy.deepcopy(CUT)
    config["suites"] |= suites
    return load_study(config | {"seeds": [1, 2]} | change, ROOT / "tasks")


def harness_probes(study, cell):
    return [(p.suite, p.probe, p.format, p.shots) for p in probes_of(study, cell) if p.kind == "harness"]


def test_a_tuned_model_is_asked_the_tasks_of_each_suite():
    study = study_of()
    tuned = next(cell for cell in plan_cells(study) if cell.method == "full")
    assert harness_probes(study, tuned) == [
        ("reference", "arc_easy", "lm_eval", 0),
        ("reference", "My_Task", "lm_eval", 0),
        ("few", "arc_easy", "lm_eval", 4),
    ]


def test_the_untouched_checkpoint_is_asked_each_task_once_with_all_its_shots():
    study = study_of()
    assert harness_tasks(study) == {"arc_easy": [0, 4], "My_Task": [0]}
    cells = [c for c in plan_cells(study) if c.format == "lm_eval" and c.checkpoint == "step0"]
    assert [(c.dataset, c.method, c.seed) for c in cells] == [("arc_easy", "base", 1), ("My_Task", "base", 1)]
    assert harness_probes(study, cells[0]) == [("base", "arc_easy", "lm_eval", n) for n in (0, 4)]


def test_a_task_may_bear_the_name_of_a_dataset():
    cells = plan_cells(study_of({"reference": {"lm_eval": ["nursery-sentiment"]}}))
    assert len({cell.path for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    ("suite", "seen"),
    [
        ({"lm_eval": ["arc_easy"], "texts": ["heldout"]}, "exactly one of `datasets`, `texts`, `lm_eval`"),
        ({"lm_eval": ["arc_easy"], "formats": ["default"]}, "has its own prompts"),
        ({"lm_eval": ["arc_easy"], "shots": [3]}, "suites.reference.shots: unknown number 3"),
        ({"lm_eval": ["../arc"]}, "'../arc' does not match"),
        ({"lm_eval": []}, "suites.reference.lm_eval"),
        ({"lm_eval": ["a", "a"]}, "suites.reference.lm_eval"),
    ],
)
def test_a_suite_that_says_too_much_or_nothing_is_refused(suite, seen):
    with pytest.raises(UserError) as error:
        study_of({"reference": suite})
    assert seen in str(error.value) and str(error.value).count("\nhint: ") == 1


def test_a_study_that_names_tasks_is_refused_where_lm_eval_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"\(arc_easy, My_Task\), which is not installed\nhint: .*pip install lm-eval=="
    ):
        check_files(study_of())
    check_files(study_of({}))


def test_a_folder_of_task_files_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    with pytest.raises(UserError, match=r"lm_eval\.include_path: there is no nowhere\nhint: "):
        check_files(study_of(lm_eval={"include_path": "nowhere"}))


def test_the_rules_read_a_fetched_task_and_the_report_shows_no_prompt_of_it():
    study = study_of()
    cell = next(cell for cell in plan_cells(study) if cell.dataset == "arc_easy")
    wildcards = SimpleNamespace(**{key: getattr(cell, key) for key in cell.__dataclass_fields__})
    assert [row["examples"] for row in measure_lookups.probe_rows(study, wildcards)] == [
        "results/cut/lm_eval/arc_easy/task.json"
    ] * 2
    assert measure_lookups.probe_files(study, wildcards) == ["results/cut/lm_eval/arc_easy"]
    assert set(fetch.ready_inputs(study)) >= {f"results/cut/lm_eval/{t}" for t in ("arc_easy", "My_Task")}
    assert "lm_eval" not in report_lookups.shown_probes(study)
    request = fetch.harness_request(study, SimpleNamespace(task="arc_easy"))
    assert json.loads(request) == {"task": "arc_easy", "shots": [0, 4]}


def test_a_task_is_fetched_again_for_its_own_files_only(tmp_path):
    folder = write_tasks(tmp_path / "tasks")
    study = study_of(lm_eval={"include_path": str(folder)})

    def files(task):
        return {Path(path).name for path in fetch.harness_files(study, SimpleNamespace(task=task))}

    assert files("My_Colours") == {"colours.yaml", "train.jsonl", "test.jsonl"}
    assert files("my_words") == {"words.yaml", "colours.yaml", "words.py", "train.jsonl", "test.jsonl"}
    assert files("arc_easy") == set()
    (folder / "broken.yaml").write_text("task: [")
    assert files("my_prose") == {"prose.yaml", "colours.yaml", "train.jsonl", "test.jsonl"}
    assert fetch.harness_files(study_of(), SimpleNamespace(task="My_Colours")) == []


def answers(values, *, f1=0.25):
    """Predictions of a task whose items score `values`; the last item has no second metric."""
    rows = []
    for number, value in enumerate(values):
        entries = [{"metric": "acc,none", "value": value, "is_mean": True}]
        if number < len(values) - 1:
            entries.append({"metric": "em,strict", "value": 1 - value, "is_mean": True})
        entries.append({"metric": "f1,none", "value": f1, "is_mean": False})
        rows.append({"item": f"t:{number}", "cluster": f"t:{number}", "harness": entries, "source": "lm_eval 1.2"})
    return rows


def test_a_mean_has_the_standard_error_of_the_sample_and_other_metrics_have_none():
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    rows = answers(values)
    found = {row["metric"]: row for row in measure("harness", [{**row, **score_harness(row)} for row in rows], rows)}
    assert list(found) == ["acc,none", "em,strict", "f1,none"]
    assert found["acc,none"]["value"] == 0.6 and found["acc,none"]["n_items"] == 5
    assert found["acc,none"]["se"] == pytest.approx(statistics.stdev(values) / math.sqrt(5), abs=1e-12)
    assert (found["em,strict"]["value"], found["em,strict"]["n_items"]) == (0.5, 4)
    assert (found["f1,none"]["value"], found["f1,none"]["se"]) == (0.25, None)
    assert {row["source"] for row in found.values()} == {"lm_eval 1.2"}


@pytest.fixture
def with_harness(synthetic_study):
    """The invented study with rows of one task for the untouched and the tuned models."""
    measured, cells, items = (synthetic_study[name] for name in ("measurements", "cells", "items"))
    one = measured.filter(metric="accuracy", suite="in-domain", probe="nursery-mood", shots=0)
    one = one.filter(pl.col("format") == "default", pl.col("probe_format") == "default")
    task = one.with_columns(
        probe=pl.lit("arc_easy"), probe_kind=pl.lit("harness"), probe_format=pl.lit("lm_eval"),
        metric=pl.lit("acc,none"), source=pl.lit("lm_eval 0.4.13"),
    )  # fmt: skip
    is_base = pl.col("method") == "base"
    place = [pl.when(is_base).then(pl.lit(to)).otherwise(name).alias(name) for name, to in NAMES.items()]
    task = task.with_columns(place).filter(~is_base | (pl.col("seed") == 1))
    task = task.with_columns(is_primary=pl.lit(False))
    total = task.with_columns(metric=pl.lit("f1,none"), se=pl.lit(None, pl.Float64))
    cell = cells.filter(is_base, dataset="nursery-mood", format="default", seed=1).with_columns(place)
    item = items.filter(probe="nursery-mood", probe_format="default").with_columns(place)
    item = item.with_columns(probe=pl.lit("arc_easy"), probe_kind=pl.lit("harness"), probe_format=pl.lit("lm_eval"))
    extra = {"measurements": pl.concat([task, total]), "cells": cell, "items": item}
    schemas = {"measurements": MEASUREMENTS, "cells": CELLS, "items": ITEM_SCORES}
    assert all(extra[name].height and set(schema) < set(extra[name].columns) for name, schema in schemas.items())
    return {name: pl.concat([synthetic_study[name], extra[name]]) for name in extra}


NAMES = {"dataset": "arc_easy", "format": "lm_eval"}


def test_figures_and_scores_do_not_see_tasks_of_the_harness(synthetic_study, with_harness):
    for figure in [one for one in FIGURES if one.needs == ("measurements",)]:
        before, after = (
            figure.frame(Tables.of(measurements=tables["measurements"], cells=tables["cells"]), Settings())
            for tables in (synthetic_study, with_harness)
        )
        assert before.equals(after), figure.id
    facts, scores = (
        [function(tables) for tables in (synthetic_study, with_harness)]
        for function in (
            lambda t: facts_of(t["measurements"], t["cells"]) | {"n_cells": 0, "status": 0},
            lambda t: score_table(t["measurements"]),
        )
    )
    assert facts[0] == facts[1] and scores[0] == scores[1]


def test_reference_numbers_stand_in_a_table_of_their_own(synthetic_study, with_harness):
    assert number_tables.reference_table(synthetic_study["measurements"])["rows"] == []
    table = number_tables.reference_table(with_harness["measurements"])
    assert table["sources"] == ["lm_eval 0.4.13"] and table["columns"][-1] == "6M annealed"
    assert [row[:4] for row in table["rows"]] == [
        ("arc_easy", metric, 0, treatment)
        for metric in ("acc,none", "f1,none")
        for treatment in ("untouched", "tuned on nursery-mood (full)")
    ]
    first = with_harness["measurements"].filter(probe="arc_easy", metric="acc,none", method="base", checkpoint="step0")
    assert table["rows"][0][4][0] == f"{first['value'][0]:.3f} ± {first['se'][0]:.3f}"
    assert "±" not in table["rows"][2][4][0]


def test_items_keep_what_the_harness_said():
    rows = [score_harness(row) | {"item": row["item"]} for row in answers([1.0, 0.0])]
    assert conform(rows, ITEM_SCORES)["harness"][0][0] == {"metric": "acc,none", "value": 1.0, "is_mean": True}


def test_files_of_a_task_are_those_that_its_included_files_functions_and_data_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "tasks/mine.yaml": "task: mine\ninclude: _common\ndataset_kwargs: {data_files: {test: 'data/*.jsonl'}}\n",
        "tasks/_common": "process_docs: !function utils.process\nfilter: {regex_pattern: '.*'}\n",
        "tasks/utils.py": "import json\nfrom words import clean\n",
        "tasks/words.py": "clean = str.strip\n",
        "tasks/other.py": "",
        "data/a.jsonl": "{}\n",
        "data/b.csv": "",
        "more/deep/c.parquet": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = files_of_task(Path("tasks"), "mine")
    assert set(found) == {"tasks/mine.yaml", "tasks/_common", "tasks/utils.py", "tasks/words.py", "data/a.jsonl"}
    (tmp_path / "tasks/mine.yaml").write_text("task: mine\ndataset_kwargs: {data_dir: more}\n")
    assert set(files_of_task(Path("tasks"), "mine")) == {"tasks/mine.yaml", "more/deep/c.parquet"}
    (tmp_path / "tasks/mine.yaml").write_text("task: mine\ninclude: mine.yaml\n")  # which the harness refuses
    assert files_of_task(Path("tasks"), "mine") == ["tasks/mine.yaml"]
