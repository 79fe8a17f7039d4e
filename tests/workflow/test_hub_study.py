"""A study of a series and a dataset on the hub: fetched where there is a network, finished where there is none."""

import io
import json
import os
import re
import subprocess
import sys

import polars as pl
import pytest
import yaml
from loopback_hub import Fault, Hub
from project import ENVIRONMENT, copy_project
from smallest_study import SMALLEST
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

CAN_CUT_OFF = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL).returncode == 0
CUT_OFF = ["unshare", "--net", "sh", "-c", 'cat /proc/net/dev >interfaces.txt; exec "$@"', "sh"] if CAN_CUT_OFF else []
MODEL, DATA, COPY = "someone/tiny-model", "someone/tiny-mood", "refs/convert/parquet"
BRANCH = "step8-tokens8K"
STUDY = SMALLEST | {
    "study": "of-the-hub",
    "title": "A series and a dataset of the hub",
    "series": {
        "tiny": {
            "repo": MODEL,
            "branches": ["step{step}-tokens*"],
            "tokens_per_step": 1024,
            "checkpoints": [{"step": 8}],
        }
    },
    "datasets": {
        "nursery-mood": {
            "source": {
                "hub": DATA,
                "config": "plain",
                "revision": COPY,
                "splits": {"train": "train", "validation": "train", "test": "test"},
            }
        }
    },
}


def parquet(split, n):
    words = ("good", "bad", "long", "short")
    rows = [
        {"id": f"{split}-{number}", "text": f"film {number} of {split} was {words[number % 4]}", "mood": mood}
        for number, mood in zip(range(n), ["good", "bad"] * n, strict=False)
    ]
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return buffer.getvalue()


@pytest.fixture
def hub(tmp_path, tiny_model, tokenizer):
    """Serve a series of one checkpoint and a dataset."""
    hub, folder = Hub(), tmp_path / "model"
    tiny_model("llama", initializer_range=0.02, max_position_embeddings=256).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    hub.repository(MODEL).add(BRANCH, {path.name: path.read_bytes() for path in folder.iterdir()})
    rows = {f"plain/{split}/0000.parquet": parquet(split, n) for split, n in (("train", 20), ("test", 10))}
    hub.repository(DATA, "dataset").add(COPY, rows)
    yield hub
    hub.close()


@pytest.mark.release
def test_what_is_fetched_once_serves_a_study_without_network(tmp_path, hub):
    project = copy_project(tmp_path / "a study")
    (project / "study.yaml").write_text(yaml.safe_dump(STUDY))
    environment = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}

    def run(*command):
        whole = [*command[:-1], sys.executable, *command[-1].split()]
        return subprocess.run(whole, cwd=project, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS)

    snakemake = "-m snakemake --cores 2 --configfile study.yaml"
    done = run("scripts/resolve_revisions.py --study study.yaml")
    assert done.returncode == 0 and BRANCH in done.stdout, done.stdout + done.stderr
    hub.faults = [Fault("/cdn/", cut=1000)]
    done = run("-m snakemake prepare --cores 2 --configfile study.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(request.method == "GET" and request.path.startswith("/cdn/") for request in hub.requests)
    hub.close()
    asked = len(hub.requests)

    done = run(*CUT_OFF, "scripts/run_study.py --study study.yaml --cores 2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(hub.requests) == asked
    if CAN_CUT_OFF:
        interfaces = (project / "interfaces.txt").read_text().splitlines()[2:]
        assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    results = project / "results/of-the-hub"
    facts = json.loads((results / "checkpoints/tiny/step8/checkpoint.json").read_text())
    commit = hub.repos["model", MODEL].branches[BRANCH]
    assert (facts["commit"], facts["revision"]) == (commit, BRANCH)
    cells = pl.read_parquet(results / "tables/cells.parquet")
    assert set(cells["method"]) == {"base", "full"} and set(cells["status"]) == {"done"}
    provenance = json.loads((results / "provenance.json").read_text())["checkpoints"]["tiny step8"]
    assert provenance["commit"] == commit and provenance["tokens"] == 8192
    page = (results / "report.html").read_text()
    assert commit in page and "loss (nats a token)" in page
    # nothing of it runs again
    done = run(f"{snakemake} -n")
    assert "Nothing to be done" in done.stdout + done.stderr, done.stdout + done.stderr


def test_few_fetch_at_once_and_the_limit_can_be_raised(tmp_path):
    project = copy_project(tmp_path / "a study")
    study = STUDY | {"series": {"tiny": {"from": "pythia-14m", "checkpoints": [{"step": step} for step in (0, 1, 2)]}}}
    (project / "study.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "study.yaml", "-n", "prepare"]
    done = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS)
    said = done.stdout + done.stderr
    # a dry run needs neither network nor lock file, where steps are given
    assert done.returncode == 0 and len(re.findall(r"resources: .*hub=1", said)) == 4, said
    assert os.path.exists(project / "series")
