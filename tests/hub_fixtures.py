"""A loopback hub with a model and a dataset, for the tests of what is fetched."""

import io
import json

import polars as pl
import pytest
from huggingface_hub import constants
from loopback_hub import Hub

import fetch_checkpoint
from ripeness.hub import retry

MODEL = "someone/tiny-model"
DATA = "someone/tiny-data"
BRANCH = "step9-tokens1B"


@pytest.fixture(scope="module")
def server():
    """Keep one server for all tests of this file."""
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """Empty the server and point the client to it, with a cache of its own and without waiting."""
    import datasets

    server.repos.clear()
    server.faults.clear()
    server.lies.clear()
    server.named.clear()
    server.instead.clear()
    server.requests.clear()
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", server.address)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100)  # what came is kept in whole chunks
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return server


@pytest.fixture
def waits(monkeypatch):
    """Take note of how long is waited, and do not wait."""
    found = []
    monkeypatch.setattr(retry.time, "sleep", found.append)
    return found


@pytest.fixture
def files(checkpoint):
    """Give the files of a checkpoint as a repository holds them, with others that nobody needs."""
    kept = {path.name: path.read_bytes() for path in checkpoint.iterdir() if path.name != "checkpoint.json"}
    useless = (
        "optimizer.bin",
        "onnx/model.onnx",
        "flax_model.msgpack",
        "pytorch_model.bin",
        "modeling_x.py",
        "README.md",
    )
    return kept | dict.fromkeys(useless, b"not needed")


def source_of(hub, **more):
    repo = hub.repos["model", MODEL]
    source = {"series": "tiny", "checkpoint": "step9", "seed": 0, "step": 9, "tokens": 90, "repo": MODEL}
    return source | {"revision": BRANCH, "commit": repo.branches.get(BRANCH, "0" * 40)} | more


def fetch(tmp_path, source):
    fetch_checkpoint.main(["--source", json.dumps(source), "--output", str(tmp_path / "out")])
    return tmp_path / "out"


def sent(hub, method="GET"):
    """Requests for content, one a large file and attempt."""
    return [request for request in hub.requests if request.method == method and request.path.startswith("/cdn/")]


def parquet(rows):
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return buffer.getvalue()


def rows_of(split, n=3):
    return [{"text": f"{split} {number}", "label": number % 2} for number in range(n)]


CARD = """---
configs:
- config_name: plain
  data_files:
  - {split: train, path: plain/train-*}
  - {split: test, path: plain/test-*}
- config_name: other
  data_files:
  - {split: train, path: other/train-*}
---
"""


def publish(hub):
    return hub.repository(DATA, "dataset").add(
        "main",
        {
            "README.md": CARD.encode(),
            "plain/train-00000-of-00002.parquet": parquet(rows_of("train")),
            "plain/train-00001-of-00002.parquet": parquet(rows_of("more")),
            "plain/test-00000-of-00001.parquet": parquet(rows_of("test")),
            "other/train-00000-of-00001.parquet": parquet(rows_of("other")),
        },
    )
