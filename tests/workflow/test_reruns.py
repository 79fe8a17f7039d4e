"""Reruns follow meaning: what is finished and unchanged is never run again."""

import json
from pathlib import Path

import polars as pl
import pytest
from cut_study import GPU_RULES, TUNED, UNTOUCHED
from project import PARTS

from ripeness.models.load import load_model

pytestmark = pytest.mark.slow


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text, (path, before)
    path.write_text(text.replace(before, after, 1))


def test_nothing_is_to_do_after_a_run(finished):
    assert finished.planned() == {}


def test_nothing_is_to_do_after_touching_the_sources_as_a_checkout_does_on_another_site(edited):
    for part in PARTS:
        for path in [edited.folder / part, *(edited.folder / part).rglob("*")]:
            path.touch()
    assert edited.planned(edited.config() | {"scratch": "$TMPDIR/of another site"}) == {}


def test_nothing_is_to_do_after_editing_comments_and_docstrings(edited):
    scripts = edited.folder / "scripts"
    replace(scripts / "ripeness/train/loop.py", "import math", "# a comment\n\nimport math")
    replace(scripts / "train_model.py", "def main(", "# another\ndef main(")
    replace(scripts / "ripeness/measure/options.py", "Compute the summed log-probability", "Add up the log-probability")
    assert edited.planned() == {}


def test_a_new_checkpoint_runs_only_its_own_cells(finished):
    config = finished.config()
    config["series"]["nursery"]["checkpoints"].insert(1, {"step": 80})
    planned = finished.planned(config)
    assert {rule: planned.get(rule) for rule in GPU_RULES} == {
        "pretrain_state": None,
        "pretrain_checkpoint": 1,
        "train_model": TUNED // 3,
        "predict": (TUNED + UNTOUCHED) // 3,
    }
    assert planned["score"] == (TUNED + UNTOUCHED) // 3
    assert planned["collect_checkpoint"] == planned["collect"] == 1
    assert "build_corpus" not in planned and "prepare_items" not in planned


def test_a_checkpoint_beyond_the_last_one_goes_on_from_the_last_state(finished):
    config = finished.config()
    config["series"]["nursery"]["checkpoints"].append({"step": 130})
    planned = finished.planned(config)
    assert (planned["pretrain_state"], planned["pretrain_checkpoint"], planned["train_model"]) == (1, 1, TUNED // 3)


def test_an_annealed_twin_is_a_branch_that_runs_only_its_own_cells(finished):
    config = finished.config()
    config["series"]["nursery"]["checkpoints"].append({"anneal": "step100", "steps": 10, "batch_size": 8})
    planned = finished.planned(config)
    assert (planned["anneal_checkpoint"], planned["train_model"]) == (1, TUNED // 3)
    assert planned["predict"] == (TUNED + UNTOUCHED) // 3
    assert not {"pretrain_state", "pretrain_checkpoint", "build_corpus", "check_series"} & set(planned)


def test_a_series_that_is_perturbed_only_reruns_nothing_of_others(finished):
    config = finished.config()
    own = config["series"]["nursery"]
    config["series"]["other"] = own | {"pretrain": own["pretrain"] | {"seed": 2}, "methods": []}
    config["sensitivity"] = {"texts": ["heldout"], "series": ["other"]}
    planned = finished.planned(config)
    assert planned["measure_sensitivity"] == planned["pretrain_checkpoint"] == 3 and planned["pretrain_state"] == 2
    assert planned["collect_sensitivity"] == 1 and "build_corpus" not in planned  # the corpora are equal
    assert not {"train_model", "predict", "score", "collect_checkpoint", "collect"} & set(planned)


def test_a_changed_learning_rate_retrains_only_that_method(finished):
    config = finished.config()
    config["methods"]["other"] = config["methods"]["full"] | {"learning_rate": 2e-3}
    planned = finished.planned(config)
    assert (planned["train_model"], planned["predict"]) == (TUNED, TUNED)
    config = finished.config()
    config["methods"]["full"]["learning_rate"] = 2e-3
    planned = finished.planned(config)
    assert (planned["train_model"], planned["predict"], planned["score"]) == (TUNED, TUNED, TUNED)
    assert "pretrain_checkpoint" not in planned


def test_a_new_dataset_runs_only_its_own_cells(finished):
    config = finished.config()
    config["datasets"]["nursery-mood"] = {}
    planned = finished.planned(config)
    assert planned["train_model"] == 3 * 2
    assert planned["predict"] == 3 * 2 + 3 * 2
    assert planned["make_dataset"] == planned["prepare_items"] == 1 and planned["render_examples"] == 2
    assert not {"pretrain_state", "pretrain_checkpoint", "build_corpus"} & set(planned)


def test_a_new_seed_runs_only_its_own_cells(finished):
    config = finished.config()
    config["seeds"] = [1, 2]
    planned = finished.planned(config)
    assert planned["train_model"] == TUNED
    assert planned["predict"] == TUNED + 12  # the untouched models draw other shots; running text has none


@pytest.mark.release
def test_learning_rates_are_chosen_on_validation_items_and_a_new_one_runs_only_its_own_cells(edited):
    config = edited.config()
    del config["datasets"]["nursery-summary"], config["suites"]["transfer"]
    config["formats"] = ["default"]
    config["methods"]["full"]["learning_rate"] = [1e-4, 3e-3]
    edited.write(config)
    run = edited.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    results = edited.folder / "results/cut"
    tuned = pl.read_parquet(results / "tables/measurements.parquet").filter(method="full", metric="accuracy")
    assert set(tuned["learning_rate"]) == {1e-4, 3e-3}, run.stdout + run.stderr
    assert dict(tuned.group_by("suite").agg(pl.col("split").unique().first()).iter_rows()) == {
        "in-domain": "test",
        "validation": "validation",
    }
    best = tuned.filter(suite="validation").sort("value", "learning_rate", descending=[True, False])
    best = best.group_by("checkpoint").first().select("checkpoint", "learning_rate").sort("checkpoint")
    chosen = tuned.filter(pl.col("is_chosen"), suite="in-domain").select("checkpoint", "learning_rate")
    assert chosen.sort("checkpoint").equals(best)
    assert 'id="rates"' in (results / "report.html").read_text()
    config["methods"]["full"]["learning_rate"].append(1e-2)
    planned = edited.planned(config)
    assert (planned["train_model"], planned["predict"], planned["score"]) == (3, 3, 3)


def test_a_changed_metric_costs_no_gpu_time(edited):
    replace(edited.folder / "scripts/ripeness/study/scoring/rouge.py", "use_stemmer=False", "use_stemmer=True")
    planned = edited.planned()
    assert planned["score"] == TUNED + UNTOUCHED
    assert not GPU_RULES & set(planned)


def test_a_changed_figure_redraws_figures_only(edited):
    replace(
        edited.folder / "scripts/ripeness/figures/transfer.py",
        "import altair as alt",
        "import altair as alt\n\nprint()",
    )
    assert set(edited.planned()) <= {"plot_figure", "write_report"}
    assert "plot_figure" in edited.planned()


def test_a_changed_training_loop_retrains_every_tuned_cell(edited):
    replace(edited.folder / "scripts/ripeness/train/loop.py", "betas=(0.9, 0.999)", "betas=(0.9, 0.99)")
    planned = edited.planned()
    assert (planned["train_model"], planned["predict"]) == (TUNED, TUNED)
    assert "pretrain_state" not in planned


@pytest.mark.release
def test_the_best_model_by_validation_is_tuned_again_and_kept(edited):
    config = edited.config()
    config["keep_models"] = "best"
    config["datasets"] = {"nursery-sentiment": {}}
    config["formats"] = ["default", "io"]
    config["methods"]["lora"] = config["methods"]["full"] | {"kind": "lora", "rank": 2, "alpha": 4}
    edited.write(config)
    run = edited.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    results = edited.folder / "results/cut"
    places = sorted(path.parent for path in results.glob("best/*/*/*/*/choice"))
    assert len(places) == 3 * 2  # of each checkpoint by each method
    scores = pl.read_parquet(results / "tables/measurements.parquet").filter(suite="validation", metric="accuracy")
    for place in places:
        series, checkpoint, dataset, method = place.parts[-4:]
        choice = json.loads((place / "choice/choice.json").read_text())
        of_method = scores.filter(checkpoint=checkpoint, dataset=dataset, method=method)
        assert choice["value"] == of_method["value"].max()
        cell = f"{series}/{checkpoint}/{dataset}/{choice['format']}/{method}/seed{choice['seed']}"
        assert (place / "training.json").read_text() == (results / "cells" / cell / "training.json").read_text()
        name = "tuned" if method == "lora" else "model"
        assert [path.stem for path in (place / "model").glob("*.safetensors")] == [name]
        assert load_model(place / "model", on_gpu=False).num_parameters() > 10_000
    assert not list(results.glob("cells/**/*.safetensors"))
    assert edited.planned(config) == {}
    replace(edited.folder / "scripts/ripeness/models/methods/lora.py", "lora_dropout=0.0", "lora_dropout=0.1")
    planned = edited.planned(config)  # of one kind alone
    n_cells = len(list(results.glob("cells/*/*/*/*/lora/*/training.json")))
    assert (planned["train_model"], planned["predict"]) == (n_cells, n_cells)
