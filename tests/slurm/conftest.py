"""The cluster, which the tests of this folder share; without SLURM they skip and say why."""

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "workflow")]


@pytest.fixture(scope="session")
def cluster():
    from cluster import Cluster, why_not

    if reason := why_not():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:  # short: a socket's address has 107 bytes
        cluster = Cluster(Path(folder))
        try:
            (cluster.folder / "a venv").symlink_to(sys.prefix)  # as in a clone whose folder has a space in its name
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def workflow(tmp_path, cluster):
    from one_job import Workflow

    workflow = Workflow(tmp_path / "a study", cluster)
    yield workflow
    if workflow.process and workflow.process.poll() is None:
        os.killpg(workflow.process.pid, signal.SIGKILL)
        workflow.process.wait()
    cluster.ask("scancel", "--user=root")
    for pid in workflow.at_work() if workflow.process else []:  # on a node that SLURM does not reach
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
