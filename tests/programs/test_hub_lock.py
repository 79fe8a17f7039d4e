"""Names of branches become commits once, and stay those commits until an update."""

import pytest
from hub_fixtures import BRANCH, DATA, MODEL, publish

import resolve_revisions
from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.study.lock_file import read_lock

STUDY = """
study: of-the-hub
title: A study of the hub
series:
  tiny: {repo: someone/tiny-model, tokens_per_step: 1_000_000_000, every: 4B tokens, checkpoints: [{step: 9}]}
datasets:
  nursery-mood:
    source: {hub: someone/tiny-data, revision: main, splits: {train: train, validation: train, test: test}}
formats: [default]
methods: {base: {shots: [0]}, full: {kind: full, learning_rate: 1.0e-3, epochs: 1, batch_size: 4}}
seeds: [1]
items: {train: 4, validation: 2, test: 2, shots: 2}
suites: {own: {datasets: own, formats: trained}}
"""


def test_names_are_resolved_once_and_kept_until_an_update(hub, files, tmp_path, waits, capsys):
    (tmp_path / "study.yaml").write_text(STUDY)
    lock = tmp_path / "hub.lock.yaml"
    options = ["--study", str(tmp_path / "study.yaml"), "--lock", str(lock)]
    with pytest.raises(UserError, match=r"the steps of someone/tiny-model are .*\nhint: make resolve STUDY="):
        resolve_revisions.main([*options, "--show"])
    repo, data = hub.repository(MODEL), publish(hub)
    commits = {name: repo.add(name, files | {"x": name.encode()}) for name in ("step1", BRANCH, "step8-a", "main")}
    resolve_revisions.main(options)
    said = capsys.readouterr().out
    assert "every 4B tokens: 2 picked, 1 without" in said and "4.0B  a hole" in said and "step 1, +25.0%" in said
    assert commits[BRANCH][:12] in said
    written = lock.read_text()
    found = read_lock(lock)
    # all that tell a step, since `every` chooses among them; main tells none
    assert found["models"][MODEL] == {"is_whole": True, "revisions": {n: c for n, c in commits.items() if n != "main"}}
    assert found["datasets"][DATA]["revisions"] == {"main": data}
    hub.requests.clear()
    moved = repo.add(BRANCH, files | {"x": b"moved"})
    resolve_revisions.main(options)
    assert lock.read_text() == written and not hub.requests
    study = load_study(resolve_revisions.read_yaml(tmp_path / "study.yaml"), resolve_revisions.TASKS, lock)
    assert study.checkpoints["tiny"]["step9"]["commit"] == commits[BRANCH] != moved
    resolve_revisions.main([*options, "--update"])
    assert moved in lock.read_text()


def test_tokens_choose_among_all_branches_of_a_repository(hub, files, tmp_path, waits, capsys):
    text = STUDY.replace("every: 4B tokens, checkpoints: [{step: 9}]", "checkpoints: [{tokens: 8_700_000_000}]")
    (tmp_path / "study.yaml").write_text(text)
    options = ["--study", str(tmp_path / "study.yaml"), "--lock", str(tmp_path / "lock.yaml")]
    with pytest.raises(UserError, match=r"the steps of someone/tiny-model are .*\nhint: make resolve STUDY="):
        resolve_revisions.main([*options, "--show"])
    publish(hub)
    commits = {name: hub.repository(MODEL).add(name, files) for name in ("step7", BRANCH)}
    resolve_revisions.main(options)
    said = capsys.readouterr().out
    assert "step9" in said and "9.0B tokens" in said and commits[BRANCH][:12] in said
    assert read_lock(tmp_path / "lock.yaml")["models"][MODEL]["revisions"] == commits


def test_a_step_without_a_branch_and_one_with_two_are_said(hub, files, tmp_path, waits):
    (tmp_path / "study.yaml").write_text(STUDY.replace("every: 4B tokens, ", ""))
    options = ["--study", str(tmp_path / "study.yaml"), "--lock", str(tmp_path / "lock.yaml")]
    repo = hub.repository(MODEL)
    for name in ("step3", "step8-a", "step8-b", "main"):
        repo.add(name, files)
    with pytest.raises(
        UserError, match=r"tiny: step9: .*has no branch for step 9\nhint: the nearest steps are 3, 8, 8"
    ):
        resolve_revisions.main(options)
    repo.add("step9", files)
    repo.add("step9-again", files)
    with pytest.raises(UserError, match=r"2 branches of someone/tiny-model match .*: step9, step9-again\nhint: "):
        resolve_revisions.main(options)
