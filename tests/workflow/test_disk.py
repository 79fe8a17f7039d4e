"""A disk that is full or may not be written to ends a run with a hint, and the next run goes on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from amuro_rows import SETTINGS, write_table
from project import ENVIRONMENT, copy_project
from waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

# in a namespace of its own, so that nobody else sees what is mounted
MOUNTED = ["unshare", "--mount", "sh", "-c"]
CAN_MOUNT = subprocess.run([*MOUNTED, "mount -t tmpfs none /mnt"], stderr=subprocess.DEVNULL).returncode == 0


STUDY = [sys.executable, "scripts/run_study.py", "--study", "study.yaml", "--cores", "2"]


def run(command, folder, **environment):
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=HANG_SECONDS
    )


def check_error(done, why, hint):
    """One error with a reason and a hint, status 2, no traceback."""
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert done.stderr.count("error: ") == 1 and done.stderr.startswith("error: "), said
    assert why in done.stderr and "hint: " in done.stderr and hint in done.stderr and "Traceback" not in said


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
        pytest.param(
            *("results/paper/logs", "ro", "Read-only file system", "hint: nothing can be written there"),
            marks=pytest.mark.release,
        ),
        pytest.param(
            *(".snakemake", "ro", "Read-only file system", "hint: nothing can be written there"),
            marks=pytest.mark.release,
        ),
        pytest.param("results/paper/logs", "size=8k", "", "make room", marks=pytest.mark.release),
        pytest.param(
            "results", "size=8k", "", "make room", marks=pytest.mark.release
        ),  # polars has words of its own for it
        (".snakemake", "size=8k", "No space left on device", "make room"),
    ],
)
def test_a_disk_that_cannot_be_written_is_said_with_a_hint(project, folder, options, why, hint):
    command = [*MOUNTED, f'mount -t tmpfs -o {options} none {folder} && exec "$@"', "sh", *STUDY]
    check_error(run(command, project), why, hint)


@pytest.fixture(scope="module")
def full_quota(tmp_path_factory):
    """Give a library that, preloaded, has a quota be used up: few kernels have quotas on what a test can mount."""
    library = tmp_path_factory.mktemp("quota") / "full_quota.so"
    source = Path(__file__).with_name("full_quota.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source], check=True)
    return library


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)")
@pytest.mark.parametrize(
    "folder",
    ["results", *(pytest.param(name, marks=pytest.mark.release) for name in ("results/paper/logs", ".snakemake"))],
)
@pytest.mark.release
def test_a_quota_that_is_used_up_is_said_with_a_hint_and_the_next_run_goes_on(project, full_quota, tmp_path, folder):
    copy = tmp_path / "a study"
    shutil.copytree(project, copy, symlinks=True)
    quota = {"LD_PRELOAD": str(full_quota), "FULL_QUOTA": str(copy / folder)}
    check_error(
        run(STUDY, copy, **quota), "Disk quota exceeded", "`quota` or the site's own command shows what is left"
    )
    done = run(STUDY, copy)
    assert done.returncode == 0 and (copy / "results/paper/report.html").is_file(), done.stdout + done.stderr
