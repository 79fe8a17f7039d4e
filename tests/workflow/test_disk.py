"""A disk that is full or may not be written to ends a run with a hint, and the next run goes on."""

import subprocess
import sys

import pytest
import yaml
from amuro_rows import SETTINGS, write_table
from project import ENVIRONMENT, copy_project
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

# in a namespace of its own, so that nobody else sees what is mounted
MOUNTED = ["unshare", "--mount", "sh", "-c"]
CAN_MOUNT = subprocess.run([*MOUNTED, "mount -t tmpfs none /mnt"], stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Give a copy of the project with a study of published numbers, which takes seconds."""
    folder = copy_project(tmp_path_factory.mktemp("disk") / "a study")
    write_table(folder / "a table.csv")
    study = {"study": "paper", "title": "A paper", "published": SETTINGS | {"tables": ["a table.csv"]}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    for name in ("results/paper/logs", ".snakemake"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.mark.skipif(not CAN_MOUNT, reason="only root may mount file systems")
@pytest.mark.parametrize(
    ("folder", "options", "why", "hint"),
    [
        ("results", "ro", "Read-only file system", "hint: nothing can be written there"),
        ("results/paper/logs", "ro", "Read-only file system", "hint: nothing can be written there"),
        (".snakemake", "ro", "Read-only file system", "hint: nothing can be written there"),
        ("results", "size=8k", "", "make room"),  # polars has words of its own for it
        (".snakemake", "size=8k", "No space left on device", "make room"),
    ],
)
def test_a_disk_that_cannot_be_written_is_said_with_a_hint(project, folder, options, why, hint):
    run = [sys.executable, "scripts/run_study.py", "--study", "study.yaml", "--cores", "2"]
    command = [*MOUNTED, f'mount -t tmpfs -o {options} none {folder} && exec "$@"', "sh", *run]
    done = subprocess.run(
        command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, timeout=HANG_SECONDS
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert done.stderr.count("error: ") == 1 and done.stderr.startswith("error: "), said
    assert why in done.stderr and "hint: " in done.stderr and hint in done.stderr and "Traceback" not in said
