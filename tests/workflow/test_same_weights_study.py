"""Studies whose checkpoints are not what they are said to be end before anything is fetched or tuned."""

import json
import re
import shutil
import subprocess
import sys

import polars as pl
import pytest
import yaml
from loopback_hub import Hub
from project import ENVIRONMENT, copy_project
from smallest_study import SMALLEST
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

MODEL = "someone/tiny-model"
STEPS = (0, 512, 2048, 4096)
STUDY = SMALLEST | {
    "study": "labels",
    "title": "Checkpoints under several labels",
    "datasets": {"nursery-mood": {}},
}
MEANT = {"audit": {"acknowledge": {"same-weights": "a test of the noise of tuning"}}}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("labels") / "a study")


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny_model, tokenizer):
    folder = tmp_path_factory.mktemp("model") / "weights"
    tiny_model("llama", initializer_range=0.02, max_position_embeddings=256).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run(project, study, *command, **environment):
    (project / "study.yaml").write_text(yaml.safe_dump(STUDY | study))
    kept = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("HF_")}
    words = [sys.executable, *(command or ("scripts/run_study.py", "--study", "study.yaml", "--cores", "2"))]
    return subprocess.run(
        words, cwd=project, env=kept | environment, capture_output=True, text=True, timeout=HANG_SECONDS
    )


def on_disk(*folders):
    lines = [
        {"path": str(folder), "step": step, "tokens": step * 1024} for step, folder in zip(STEPS, folders, strict=False)
    ]
    return {"series": {"mine": {"checkpoints": lines}}}


@pytest.mark.release
def test_one_file_under_four_labels_ends_the_study_before_anything_is_tuned(project, model, tmp_path):
    copied = shutil.copytree(model, tmp_path / "copied")
    (tmp_path / "linked").symlink_to(model)
    done = run(project, on_disk(model, copied, tmp_path / "linked", model))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the audit stops the study at 'same-weights': mine: step0, step512, step2048 and step4096 have the same" in (
        done.stderr
    )
    assert "hint: fix it, or acknowledge it with a reason" in done.stderr and "Traceback" not in done.stderr
    results = project / "results/labels"
    assert (results / "checkpoints/mine/step4096").is_dir() and not (results / "cells").exists()


@pytest.mark.release
def test_with_a_reason_the_study_runs_and_the_remark_stands_in_its_table(project, model):
    study = on_disk(model, model)
    done = run(project, study | MEANT)
    assert done.returncode == 0, done.stdout + done.stderr
    table = pl.read_parquet(project / "results/labels/tables/audit.parquet").filter(check="same-weights")
    assert table["is_acknowledged"].to_list() == [True] and table["reason"][0].startswith("a test")
    done = run(project, study | MEANT, "-m", "snakemake", "-n", "--cores", "1", "--configfile", "study.yaml")
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.release
def test_two_branches_of_equal_weights_end_the_study_before_they_are_fetched(project, model, tmp_path):
    hub = Hub()
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    for step in STEPS[:2]:
        hub.repository(MODEL).add(f"step{step}", files | {"README.md": f"step {step}".encode()})
    other = {"model.safetensors": files["model.safetensors"][:-4] + b"\0\0\0\0"}
    hub.repository(MODEL).add("step2048", files | other)
    series = {"repo": MODEL, "tokens_per_step": 1024, "checkpoints": [{"step": step} for step in STEPS[:3]]}
    study = {"study": "fetched", "series": {"tiny": series}}
    place = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
    done = run(project, study, **place)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "at 'same-weights': tiny: step0 and step512 have the same weights" in done.stderr
    assert not [request for request in hub.requests if "/cdn/" in request.path or "/resolve/" in request.path]
    # Snakemake itself ends alike
    done = run(project, study, "-m", "snakemake", "--cores", "2", "--configfile", "study.yaml", **place)
    assert done.returncode == 2 and "'same-weights'" in done.stderr
    # without one of the two the others are fetched, and a further one asks for lists only, and for itself
    series["checkpoints"] = [{"step": 0}, {"step": 2048}]
    prepare = ("-m", "snakemake", "prepare", "--cores", "2", "--configfile", "study.yaml")
    done = run(project, study, *prepare, **place)
    assert done.returncode == 0, done.stdout + done.stderr
    results = project / "results/fetched"
    listed = json.loads((results / "audit/weights.json").read_text())["tiny"]["checkpoints"]
    assert set(listed) == {"step0", "step2048"} and (results / "checkpoints/tiny/step0/weights.json").is_file()
    hub.repository(MODEL).add("step4096", files | {"model.safetensors": files["model.safetensors"][:-4] + b"\1\0\0\0"})
    series["checkpoints"] += [{"step": 4096}]
    assert run(project, study, "scripts/resolve_revisions.py", "--study", "study.yaml", **place).returncode == 0
    done = run(project, study, *prepare[:3], "-n", *prepare[3:], **place)
    planned = dict(re.findall(r"^(\w+) +(\d+)$", (done.stdout + done.stderr).split("Reasons:")[0], re.MULTILINE))
    expected = dict.fromkeys(("list_weights", "fetch_checkpoint", "audit_inputs", "check_series", "prepare"), "1")
    assert planned == expected | {"total": "5"}, done.stdout + done.stderr
    hub.close()
