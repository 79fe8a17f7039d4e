"""Results that know what they were made from: moved, copied, renamed, accepted, tidied."""

import json
import shutil
import subprocess
import sys

import polars as pl
import pytest
import yaml
from cut_study import GPU_RULES, TUNED, UNTOUCHED, jobs_done
from project import ENVIRONMENT
from test_reruns import replace
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow


def program(study, name, *options):
    command = [sys.executable, f"scripts/{name}.py", "--study", "cut.yaml", *options]
    run = subprocess.run(
        command, cwd=study.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_results_that_were_moved_are_known_and_a_changed_setting_is_noticed(edited):
    (edited.folder / "results/cut").rename(edited.folder / "results/moved")
    shutil.rmtree(edited.folder / ".snakemake")
    config = edited.config() | {"study": "moved"}
    planned = edited.planned(config)
    assert not GPU_RULES & set(planned) and planned["score"] > 0  # the study's name is a column of the tables
    config["methods"]["full"]["learning_rate"] = 3e-3
    planned = edited.planned(config)
    assert (planned["train_model"], planned["predict"]) == (TUNED, TUNED)


def test_a_copy_without_times_and_without_metadata_is_finished(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "copy", copy_function=shutil.copyfile, symlinks=True)
    shutil.rmtree(tmp_path / "copy/.snakemake")
    assert type(finished)(tmp_path / "copy").planned() == {}


def test_results_without_a_key_are_not_believed(edited):
    (edited.folder / "results/cut/keys.jsonl").unlink()
    assert edited.planned()["train_model"] == TUNED


EDITS = {
    "suites in another order": lambda c: c.update(suites=dict(reversed(c["suites"].items()))),
    "a suite renamed": lambda c: c["suites"].update(other=c["suites"].pop("in-domain")),
    "a suite removed": lambda c: c["suites"].pop("transfer"),
    "another suite over the same probes": lambda c: c["suites"].update(
        more={"datasets": "own", "formats": "trained", "shots": [0]}
    ),
    "formats in another order": lambda c: c["formats"].reverse(),
    "a format removed": lambda c: c.update(formats=["default"]),
    "a dataset removed": lambda c: (
        c["datasets"].pop("nursery-summary"),
        c["suites"]["transfer"].update(datasets=["nursery-sentiment"]),
    ),
    "a list of one learning rate": lambda c: c["methods"]["full"].update(learning_rate=[1.0e-3]),
    "a method renamed": lambda c: c["methods"].update(mine=c["methods"].pop("full")),
    "a suite split in two": lambda c: c["suites"].update(
        transfer=c["suites"]["transfer"] | {"datasets": ["nursery-sentiment"]},
        other=c["suites"]["transfer"] | {"datasets": ["nursery-summary"]},
    ),
    "shots in another order": lambda c: c["methods"]["base"].update(shots=[4, 0]),
    "a title": lambda c: c.update(title="Another"),
}
OFTEN = {"a suite split in two", "a dataset removed", "a list of one learning rate"}


@pytest.mark.parametrize(
    "edit",
    [pytest.param(edit, id=name, marks=() if name in OFTEN else pytest.mark.release) for name, edit in EDITS.items()],
)
def test_order_names_and_less_of_everything_cost_no_model(finished, edit):
    config = finished.config()
    edit(config)
    assert not GPU_RULES & set(finished.planned(config))


@pytest.mark.release
def test_a_new_probe_is_measured_alone_and_a_renamed_method_is_found(edited, tmp_path):
    config = edited.config()
    config["suites"]["transfer"]["formats"] = ["default", "io"]
    edited.write(config)
    run = edited.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{TUNED} models are tuned again" in run.stdout + run.stderr
    logs = [path.read_text() for path in (edited.folder / "results/cut/logs/predict").rglob("seed1.log")]
    assert sum("taken from former predictions" in log for log in logs) == TUNED
    config["methods"]["mine"] = config["methods"].pop("full")
    edited.write(config)
    run = edited.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    assert not list((edited.folder / "results/cut").rglob("known.*"))

    fresh = type(edited)(tmp_path / "from nothing")
    fresh.write(config)
    run = fresh.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    left = {path for path in edited.digests() if "/full/" in path}
    tables = {path: digest for path, digest in edited.digests().items() if path not in left}
    assert tables == fresh.digests()
    assert edited.planned(config) == {}


@pytest.mark.release
def test_a_method_by_the_name_of_a_removed_one_and_names_that_are_swapped_train_nothing(edited):
    """What stands under the name is moved aside, and found when it is wanted again."""
    whole = edited.config()
    del whole["suites"]["transfer"], whole["series"]["nursery"]["checkpoints"][1:]
    whole["datasets"], whole["formats"] = {"nursery-sentiment": {}}, ["default"]
    one, other = whole["methods"]["full"], whole["methods"]["full"] | {"learning_rate": 3e-3}
    record = edited.folder / "results/cut/cells/nursery/step0/nursery-sentiment/default/full/seed1/training.json"

    def run(methods):
        edited.write(whole | {"methods": {"base": {"shots": [0]}} | methods})
        planned, done = edited.planned(), edited.snakemake("--until", "predict")
        assert done.returncode == 0, done.stdout + done.stderr
        rate = json.loads(record.read_text())["settings"]["learning_rate"]
        return planned.get("train_model", 0), jobs_done(done.stdout + done.stderr)["train_model"], rate

    assert run({"full": one, "mine": other}) == (1, 1, 1e-3)
    assert run({"full": other}) == (0, 0, 3e-3)
    assert run({"full": other, "mine": one}) == (0, 0, 3e-3)
    assert run({"full": one, "mine": other}) == (0, 0, 1e-3)
    assert run({"full": other}) == (0, 0, 3e-3)
    assert run({"full": one}) == (0, 0, 1e-3)
    assert edited.planned().get("train_model", 0) == 0


def test_a_run_next_to_another_one_links_nothing_before_it_is_refused(edited):
    (edited.folder / ".snakemake/locks").mkdir(exist_ok=True)
    (edited.folder / ".snakemake/locks/0.output.lock").write_text("results/cut/report.html\n")
    config = edited.config()
    config["methods"]["mine"] = config["methods"].pop("full")
    edited.write(config)
    files = set((edited.folder / "results").rglob("*"))
    keys = (edited.folder / "results/cut/keys.jsonl").read_text()
    run = edited.snakemake()
    assert run.returncode == 1 and "Directory cannot be locked" in run.stdout + run.stderr
    assert {path.name for path in set((edited.folder / "results").rglob("*")) - files} <= {"contents.jsonl"}
    assert (edited.folder / "results/cut/keys.jsonl").read_text() == keys


@pytest.mark.release
def test_half_of_a_results_folder_is_used(edited):
    """What is missing is made; what was made from it stands, as its key says."""
    results = edited.folder / "results"
    (results / "half/cells/nursery").mkdir(parents=True)
    shutil.copytree(results / "cut/cells/nursery/step0", results / "half/cells/nursery/step0")
    config = edited.config() | {"study": "half"}
    assert edited.planned(config)["train_model"] == TUNED
    shutil.copy(results / "cut/keys.jsonl", results / "half/keys.jsonl")
    planned = edited.planned(config)
    assert (planned["train_model"], planned["predict"]) == (TUNED * 2 // 3, (TUNED + UNTOUCHED) * 2 // 3)


@pytest.mark.release
def test_accepted_code_runs_nothing_and_is_on_record(edited):
    replace(edited.folder / "scripts/ripeness/train/loop.py", "betas=(0.9, 0.999)", "betas=(0.9, 0.9990)")
    said = program(edited, "explain_reruns")
    (line,) = [line for line in said.splitlines() if line.startswith("train_model")]
    assert line.split()[1:3] == [str(TUNED), "code"] and "(train/loop.py: " in line, said
    assert "predict" in said
    said = program(edited, "explain_reruns", "--accept", "code")
    assert "train_model" not in said and "predict" not in said
    planned = edited.planned()
    assert not GPU_RULES & set(planned) and set(planned) <= {"record_provenance", "write_report"}
    run = edited.snakemake()
    assert run.returncode == 0, run.stdout + run.stderr
    record = json.loads((edited.folder / "results/cut/provenance.json").read_text())
    assert any(name.startswith("train_model, code ") for name in record["accepted as they are"])
    replace(edited.folder / "scripts/ripeness/train/loop.py", "betas=(0.9, 0.9990)", "betas=(0.9, 0.99900)")
    program(edited, "explain_reruns", "--accept", "code")  # again, while the model is gone that was accepted by neither
    assert not GPU_RULES & set(edited.planned())
    config = edited.config()
    config["methods"]["full"]["learning_rate"] = 3e-3
    assert edited.planned(config)["train_model"] == TUNED


@pytest.mark.release
def test_what_the_study_no_longer_has_is_listed_moved_aside_and_found_again(edited):
    whole = edited.config()
    config = edited.config()
    del config["series"]["nursery"]["checkpoints"][1]
    edited.write(config)
    said = program(edited, "tidy_results")
    assert (
        "results/cut/cells/nursery/step100\n" in said and "results/cut/tables/items/nursery/step100.parquet\n" in said
    )
    assert "step0" not in said and "keys.jsonl" not in said and "findings.json" not in said
    program(edited, "tidy_results", "--move")
    assert not (edited.folder / "results/cut/cells/nursery/step100").exists()
    assert "nothing that the study does not have" in program(edited, "tidy_results")
    edited.write(whole)
    assert not GPU_RULES & set(edited.planned())
    shutil.copytree(
        edited.folder / "results/cut/removed/cells/nursery/step100", edited.folder / "results/cut/cells/nursery/step100"
    )  # as a run does, which links it
    edited.write(config)
    program(edited, "tidy_results", "--move")
    assert (edited.folder / "results/cut/removed/2/cells/nursery/step100").is_dir()


def test_models_that_are_kept_after_all_are_tuned_again_and_this_is_reported(finished):
    config = finished.config() | {"keep_models": "all"}
    assert finished.planned(config)["train_model"] == TUNED


def test_another_study_of_the_same_name_is_refused_before_anything_runs(edited):
    config = edited.config()
    config["series"] = {"other": config["series"]["nursery"] | {"checkpoints": [{"step": 0}]}}
    config["series"]["other"]["pretrain"]["hidden_size"] = 16
    (edited.folder / "second.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "second.yaml"]
    run = subprocess.run(
        command, cwd=edited.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert run.returncode == 2, run.stdout + run.stderr
    assert "contains another study of this name, that of" in run.stderr
    for name, option in (("tidy_results", "--move"), ("explain_reruns", "--accept=code")):
        command = [sys.executable, f"scripts/{name}.py", "--study", "second.yaml", option]
        run = subprocess.run(
            command, cwd=edited.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
        )
        assert run.returncode == 2 and "contains another study of this name" in run.stderr, run.stdout + run.stderr
    assert edited.planned() == {}


def test_a_checkpoint_that_is_replaced_in_place_is_fetched_again(edited):
    place = edited.folder / "mine"
    shutil.copytree(edited.folder / "results/cut/checkpoints/nursery/step100", place)
    for name in (".ripeness.json", "checkpoint.json", ".snakemake_timestamp"):
        (place / name).unlink(missing_ok=True)
    config = edited.config() | {"study": "local"}
    entry = {"path": "mine", "step": 100, "tokens": 100_000}
    config["series"] = {"mine": {"accept_loss": True, "checkpoints": [entry]}}
    config["texts"], config["suites"] = {}, {"own": {"datasets": "own", "formats": "trained", "shots": [0]}}
    edited.write(config)
    run = edited.snakemake("--", "results/local/checkpoints/mine/step100")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "fetch_checkpoint" not in edited.planned()
    weights = place / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4:] = b"\0\0\0\0"
    weights.write_bytes(content)
    assert edited.planned()["fetch_checkpoint"] == 1


def test_predictions_that_a_broken_off_run_kept_for_another_plan_are_not_taken(edited):
    cell = edited.folder / "results/cut/cells/nursery/step0/nursery-sentiment/default/full/seed1"
    shutil.copy(cell / "predictions.parquet", cell / "known.parquet")
    place = "results/cut/cells/nursery/step0/nursery-sentiment/default/full/seed1"
    probe = ["nursery-sentiment", "choice", "default", 0, "test"]
    (cell / "known.json").write_text(json.dumps({"predictions": f"{place}/known.parquet", "probes": [probe]}))
    config = edited.config()
    config["methods"]["full"]["learning_rate"] = 3e-3
    edited.write(config)
    run = edited.snakemake("--", f"{place}/predictions.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    (log,) = (edited.folder / "results/cut/logs/predict/nursery/step0/nursery-sentiment/default/full").glob("*.log")
    assert "former predictions" not in log.read_text() and not list(cell.glob("known.*"))


@pytest.mark.release
def test_results_without_a_key_are_taken_as_they_are_where_this_is_asked_for(edited):
    """Those of models and what they were made from; a training by another rate and a missing probe are made again."""
    results = edited.folder / "results/cut"
    (results / "keys.jsonl").unlink()
    said = program(edited, "explain_reruns", "--accept", "no-key")
    planned = edited.planned()
    assert not (GPU_RULES | {"prepare_items"}) & set(planned) and planned["score"] == TUNED + UNTOUCHED, said
    assert "train_model" not in said and "results are taken as they are" in said

    (results / "keys.jsonl").unlink()
    cell = results / "cells/nursery/step0/nursery-sentiment/default/full/seed1"
    replace(cell / "training.json", '"learning_rate": 0.001', '"learning_rate": 0.003')
    path = results / "cells/nursery/step100/nursery-sentiment/default/full/seed1/predictions.parquet"
    rows = pl.read_parquet(path)
    rows.filter(pl.col("probe") != "heldout").write_parquet(path)
    said = program(edited, "explain_reruns", "--accept", "no-key")
    assert "1 predictions lack probes" in said
    planned = edited.planned()
    assert (planned["train_model"], planned["predict"]) == (2, 2), said


@pytest.mark.release
def test_touch_gives_no_key(edited):
    (edited.folder / "results/cut/keys.jsonl").unlink()
    run = edited.snakemake("--touch")
    assert run.returncode == 0 and "--touch gives them no key" in run.stderr, run.stdout + run.stderr
    assert edited.planned()["train_model"] == TUNED
