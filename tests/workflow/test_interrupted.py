"""Nothing is lost to a kill, and the disk never holds the grid of tuned models."""

import os
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode as b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from threading import Thread
from types import SimpleNamespace

import pytest
from cut_study import TUNED, Study
from project import ENVIRONMENT
from waiting import HANG_SECONDS, Together, files_below, wait_for

pytestmark = pytest.mark.slow


@pytest.mark.release
def test_a_killed_run_is_finished_by_the_next_one_with_the_same_results(finished, tmp_path):
    folder = tmp_path / "a study"
    study = Study(folder)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "cut.yaml"]
    killed = subprocess.Popen(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    cells = folder / "results/cut/cells"
    wait_for(lambda: len(list(files_below(cells, "training.json"))) >= 3 or killed.poll() is not None, HANG_SECONDS)
    assert killed.returncode is None, "it ended before it could be killed"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (folder / "results/cut/report.html").exists()
    assert study.snakemake("--unlock").returncode == 0
    run = study.snakemake("--rerun-incomplete")
    assert run.returncode == 0, run.stdout + run.stderr
    assert study.digests() == finished.digests()


def test_a_run_that_is_told_to_end_leaves_no_job_behind(tmp_path):
    study = Study(tmp_path / "a study")
    command = [sys.executable, "scripts/run_study.py", "--study", "cut.yaml", "--cores", "1"]
    process = subprocess.Popen(
        command, cwd=study.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    datasets = study.folder / "results/cut/datasets"
    wait_for(lambda: len(list(datasets.glob("*"))) >= 1 or process.poll() is not None, HANG_SECONDS)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, said) == (128 + signal.SIGTERM, "stopped; the next run resumes from here\n")
    assert not (study.folder / ".snakemake/locks").exists() or not list((study.folder / ".snakemake/locks").iterdir())
    assert not [path for path in files_below(study.folder / "results", "report.html")]


def test_what_would_run_is_explained_also_where_a_killed_run_left_a_part_of_a_file(tmp_path):
    project = Study(tmp_path / "a study").folder
    part = project / "results/cut/provenance.json"
    part.parent.mkdir(parents=True)
    part.touch()
    note = project / ".snakemake/incomplete" / b64encode(str(part.relative_to(project)).encode()).decode()
    note.parent.mkdir(parents=True)
    note.touch()

    def run(*words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
        )

    plain = run("-m", "snakemake", "-n", "-q", "--configfile", "cut.yaml")
    assert plain.returncode and "IncompleteFilesException" in plain.stdout + plain.stderr
    explained = run("scripts/explain_reruns.py", "--study", "cut.yaml")
    assert explained.returncode == 0 and "record_provenance" in explained.stdout, explained.stderr


@pytest.fixture
def hub():
    """Give a server that stands for the hub and notes every request."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(address=f"http://127.0.0.1:{server.server_port}", requests=requests)
        server.shutdown()


@pytest.mark.release
def test_few_tuned_models_exist_at_any_time_and_no_job_asks_the_hub(tmp_path, hub):
    study = Study(tmp_path / "study")
    config = study.config()
    config["seeds"] = [1, 2, 3, 4]
    study.write(config)
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "cut.yaml"],
        cwd=study.folder, env=ENVIRONMENT | {"HF_ENDPOINT": hub.address}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    names = ("step0", "step100", "step114-annealed"), config["datasets"], config["formats"], config["seeds"]
    cells = study.folder / "results/cut/cells/nursery"
    watched = [cells / f"{name}/{data}/{form}/full/seed{seed}" for name, data, form, seed in product(*names)]
    models, together = [str(cell / "model/model.safetensors") for cell in watched], Together()
    while process.poll() is None:  # a look through all folders each time would take a core
        together.look(set(filter(os.path.exists, models)))
        time.sleep(0.02)
    assert process.returncode == 0
    assert len(watched) == 4 * TUNED
    assert sorted(path.parent for path in cells.glob("*/*/*/full/*/cell.parquet")) == sorted(watched)
    assert 1 <= together.most <= 2 + 2
    assert len(list((study.folder / "results/cut/logs").rglob("*.log"))) > 200 and hub.requests == []
