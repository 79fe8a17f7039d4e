"""The loopback hub and what it publishes, and trainings of a tiny checkpoint, for all tests of programs."""

import json

import pytest
from hub_fixtures import files, hub, server, waits  # noqa: F401
from predicted_probes import predicted, probes, reader  # noqa: F401 (fixtures)
from scored_cells import collected_as, scored  # noqa: F401 (fixtures)
from synthetic import synthetic_study  # noqa: F401 (fixtures)
from synthetic_report import synthetic_folder  # noqa: F401 (fixtures)
from tuned_models import stream, tune  # noqa: F401 (fixtures)

import train_model


@pytest.fixture
def train_on(tmp_path, checkpoint):
    """Give a function that trains on a file, and returns the folder with model/ and record.json."""

    def run(examples, name, settings, *options):
        train_model.main(
            [*options, "--checkpoint", str(checkpoint), "--examples", str(examples), "--settings"]
            + [json.dumps(settings), "--output", str(tmp_path / name / "model")]
            + ["--record", str(tmp_path / name / "record.json")]
        )
        return tmp_path / name

    return run
