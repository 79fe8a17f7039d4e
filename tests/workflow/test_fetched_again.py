"""A checkpoint from a folder whose facts, place or gate change: nothing is tuned or measured again, tables are."""

import shutil

import polars as pl
import pytest
from cut_study import GPU_RULES, Study, jobs_done
from test_keys import program
from walk import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.release]

PLACE = "results/local/cells/mine/step3"


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A study of one checkpoint in a folder, measured."""
    study = Study(tmp_path_factory.mktemp("local") / "a study")
    config = study.config() | {"formats": ["default"], "datasets": {"nursery-sentiment": {}}}
    config["series"]["nursery"]["pretrain"] |= SMALL
    config["series"]["nursery"]["checkpoints"] = [{"step": 3}]
    config["items"] = {"train": 8, "validation": 4, "test": 4, "shots": 2}
    config["suites"] = {"own": {"datasets": "own", "formats": "trained"}}
    config["methods"]["base"] = {"shots": [0]}
    study.write(config)
    run = study.snakemake("--", "results/cut/checkpoints/nursery/step3")
    assert run.returncode == 0, run.stdout + run.stderr
    shutil.copytree(study.folder / "results/cut/checkpoints/nursery/step3", study.folder / "models/a")
    for name in (".ripeness.json", "checkpoint.json", ".snakemake_timestamp", "weights.json"):
        (study.folder / "models/a" / name).unlink(missing_ok=True)
    entry = {"path": "models/a", "name": "step3", "step": 3, "tokens": 400}
    config["series"] = {"mine": {"accept_loss": True, "checkpoints": [entry]}}
    config |= {"study": "local", "texts": {}}
    study.write(config)
    ran(study)
    assert study.planned() == {}
    return study


def ran(study):
    """Jobs that a run has done, by rule."""
    run = study.snakemake("--scheduler", "greedy")
    assert run.returncode == 0, run.stdout + run.stderr
    return jobs_done(run.stdout + run.stderr)


def test_other_facts_and_another_place_of_a_checkpoint_cost_no_model(local):
    config = local.config()
    (local.folder / "models/a").rename(local.folder / "models/b")
    (local.folder / "gate.txt").write_text("the dog sat on the mat .\n" * 200)
    config["series"]["mine"] |= {"gate_text": "gate.txt"}
    config["series"]["mine"]["checkpoints"][0] |= {"path": "models/b", "tokens": 500}
    local.write(config)
    lines = [line.split(maxsplit=2) for line in program(local, "explain_reruns").splitlines()[1:]]
    why = {rule: reason for rule, _, reason in lines}
    assert "settings" in why["fetch_checkpoint"] and why["train_model"].startswith("perhaps"), why
    assert why["predict"].startswith("perhaps") and not why["score"].startswith("perhaps"), why
    done = ran(local)
    assert done["fetch_checkpoint"] == 1 and done["score"] > 0 and not GPU_RULES & set(done), done
    cells = pl.read_parquet(local.folder / "results/local/tables/cells.parquet")
    assert set(cells["tokens"]) == {500}
    assert local.planned() == {}


def test_other_weights_and_another_tokenizer_are_noticed(local):
    for name, old, new in (("tokenizer.json", b'"model"', b' "model"'), ("model.safetensors", None, None)):
        path = local.folder / "models/b" / name
        content = path.read_bytes()
        path.write_bytes(content.replace(old, new, 1) if old else content[:-4] + b"\0\0\0\0")
        run = local.snakemake("--", "results/local/checkpoints/mine/step3")
        assert run.returncode == 0, run.stdout + run.stderr
        planned = local.planned()
        assert planned["train_model"] == 1 and planned["predict"] == 2, (name, planned)
        path.write_bytes(content)
