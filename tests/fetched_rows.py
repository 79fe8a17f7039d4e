"""Files of rows in every format, and a function that fetches them."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

import fetch_dataset
from ripeness.data.rows import read_sources


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Give a function that writes a file, fetches it for every role and returns its rows as the items see them."""
    monkeypatch.chdir(tmp_path)

    def run(name, content):
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        source = json.dumps(dict.fromkeys(("train", "validation", "test"), name))
        fetch_dataset.main(["--source", source, "--licence", "CC0-1.0", "--output", "out"])
        return read_sources(Path("out"))[name]

    return run


def packed(content):
    """Pack without the time of day, which would make a test's name another one in each worker."""
    return gzip.compress(content, mtime=0)


def parquet_of(rows, path):
    pl.DataFrame(rows).write_parquet(path)
    return path.read_bytes()
