"""Files of the project are found in a clone and in a wheel, after the user's own."""

import subprocess

import pytest

from ripeness.runtime import project
from ripeness.study.published_runs import read_series
from ripeness.study.tasks import load_task


def test_the_users_own_task_and_series_come_first_and_others_are_still_found(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for folder, name in (("tasks", "rte"), ("series", "olmo-1b")):
        (tmp_path / folder).mkdir()
        text = (project.ROOT / folder / f"{name}.yaml").read_text()
        line = next(line for line in text.splitlines() if line.startswith("title:"))
        (tmp_path / folder / f"{name}.yaml").write_text(text.replace(line, "title: my own"))
    read_series.cache_clear()
    tasks = project.ROOT / "tasks"
    assert load_task("rte", tasks, overrides={}).title == "my own" == read_series("olmo-1b")["title"]
    assert load_task("boolq", tasks, overrides={}).name == "boolq" and read_series("amber")["name"] == "amber"
    read_series.cache_clear()


def test_a_folder_that_is_not_the_projects_is_searched_alone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert project.searched(tmp_path / "other/tasks") == [tmp_path / "other/tasks"]
    monkeypatch.chdir(project.ROOT)
    assert project.searched(project.ROOT / "tasks") == [project.ROOT / "tasks"]


@pytest.mark.parametrize("is_built", [True, False])
def test_the_version_is_that_of_the_wheel_and_never_of_a_repository_around_it(monkeypatch, tmp_path, is_built):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *identity, "-C", str(tmp_path), "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    inside = tmp_path / "site-packages/project"
    inside.mkdir(parents=True)
    monkeypatch.setattr(project, "ROOT", inside)
    if is_built:
        (inside / "COMMIT").write_text("0123456789ab\n")
    assert project.code_version() == ("0123456789ab" if is_built else "not under version control")
    monkeypatch.setattr(project, "ROOT", tmp_path)
    assert len(project.code_version()) == 12
