"""What the hub lists of weights before any is fetched: which branches hold the same, and a study that takes two."""

import hashlib
import json
import re

import pytest
from hub_fixtures import sent
from loopback_hub import Fault

import list_weights
import resolve_revisions
from ripeness.hub.checkpoint_folder import checkpoint_folder
from ripeness.hub.weight_digests import listed_weights
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json

MODEL = "someone/tiny-model"
ONE, INDEX = "model.safetensors", "model.safetensors.index.json"
SMALL = {"config.json": b"{}", "tokenizer.json": b"{}"}


def single(weights, **more):
    return SMALL | {ONE: weights.encode()} | {name: content.encode() for name, content in more.items()}


def shards(*weights):
    names = [f"model-0000{number}-of-0000{len(weights)}.safetensors" for number in range(1, len(weights) + 1)]
    return SMALL | {INDEX: b"{}"} | {name: part.encode() for name, part in zip(names, weights, strict=True)}


def check(capsys, repo=MODEL):
    """Status and output of --check."""
    status = 0
    try:
        resolve_revisions.main(["--check", repo])
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().out


def publish(hub, branches, **options):
    repo = hub.repository(MODEL, **options)
    return {name: repo.add(name, files) for name, files in branches.items()}


def test_a_series_whose_branches_all_differ_is_good_and_main_may_be_its_last(hub, waits, capsys):
    publish(hub, {f"step{n}": single(f"weights {n}") for n in (0, 2, 10)} | {"main": single("weights 10")})
    status, said = check(capsys)
    assert status == 0
    first, *lines = said.splitlines()
    assert first == f"{MODEL}: 4 branches and tags, 3 different weights, 0 without weights"
    digest = hashlib.sha256(b"weights 10").hexdigest()[:12]
    assert [line.strip() for line in lines] == [f"same weights ({digest}), 2 branches:", "main step10"]
    assert not sent(hub) and not any("/resolve/" in request.path for request in hub.requests)


def test_late_weights_under_early_names_are_reported_in_order_with_the_right_form(hub, waits, capsys):
    # as pythia-2.8b: most branches serve the end in safetensors, pickled weights are their own
    late = {f"step{n}": single("end", **{"pytorch_model.bin": f"of {n}"}) for n in (0, 1, 2, 10, 1000)}
    publish(hub, late | {"step2000": single("own"), "main": single("end")})
    status, said = check(capsys)
    assert status == 3 and "7 branches and tags, 2 different weights" in said
    assert "6 branches; their pytorch_model.bin differ: 5 different ones:" in said
    assert "    main step0 step1 step2 step10 step1000\n" in said


def test_a_mixed_branch_and_one_without_weights_are_reported(hub, waits, capsys):
    # as pythia-12b: the first file of two branches is that of the end; as polypythia-410m: a branch without weights
    publish(
        hub,
        {
            "step1": shards("a1", "b1", "c1"),
            "step5": shards("end", "b5", "c5"),
            "step8": shards("end", "b8", "c8"),
            "step9": shards("end", "b9", "c9"),
            "step7": SMALL | {"README.md": b"later"},
        },
    )
    status, said = check(capsys)
    assert status == 3 and "5 branches and tags, 4 different weights, 1 without weights" in said
    assert "1 of 3 files of weights are the same, the others not, in 3 branches:\n    step5 step8 step9\n" in said
    assert "without weights in a form that is read here, 1 branch:\n    step7\n" in said


def test_two_names_of_one_commit_are_asked_of_once_and_a_busy_hub_is_waited_for(hub, waits, capsys):
    commits = publish(hub, {"step1": single("a"), "step2": single("b")})
    hub.repos["model", MODEL].branches["step3"] = commits["step2"]
    hub.faults = [Fault("/tree/", status=429, retry_after="1")]
    status, said = check(capsys)
    assert status == 3 and "    step2 step3\n" in said
    assert len([request for request in hub.requests if "/tree/" in request.path]) == 3 and len(waits) == 1


@pytest.mark.parametrize(
    ("repo", "message"),
    [
        ("pythia", "--check: 'pythia' is not a repository\nhint: "),
        ("someone/nothing", "no such repository, or it is private"),
    ],
)
def test_a_repository_that_is_none_is_said(hub, waits, capsys, repo, message):
    with pytest.raises(UserError, match=message):
        check(capsys, repo)


@pytest.mark.parametrize("options", [[], ["--check", MODEL, "--study", "x.yaml"]])
def test_either_a_study_or_a_repository(options, capsys):
    with pytest.raises(SystemExit) as end:
        resolve_revisions.main(options)
    assert end.value.code == 2 and "either --study or --check" in capsys.readouterr().err


def ask(hub, tmp_path, commits, *options):
    points = [{"checkpoint": name, "step": n, "tokens": n * 100} for n, name in enumerate(commits)]
    plan = {"series": {"tiny": {"checkpoints": points}}, "weights": {"tiny": {"seed": 0, "checkpoints": {}}}}
    sources = {name: {"repo": MODEL, "revision": name, "commit": commit} for name, commit in commits.items()}
    words = ["--plan", json.dumps(plan), "--sources", json.dumps({"tiny": sources}), *options]
    list_weights.main([*words, "--output", str(tmp_path / "weights.json")])
    return read_json(tmp_path / "weights.json")["tiny"]["checkpoints"]


def test_a_study_of_equal_weights_ends_before_anything_is_fetched_unless_they_are_meant(hub, waits, tmp_path):
    commits = publish(hub, {"step0": single("end"), "step512": single("end", x="y"), "step9": shards("a", "b")})
    message = (
        r"the audit stops the study at 'same-weights': tiny: step0 and step512 have the same weights \([0-9a-f]{12}\)"
    )
    with pytest.raises(UserError, match=message) as error:
        ask(hub, tmp_path, commits)
    assert 'audit: {acknowledge: {same-weights: "the reason"}}' in str(error.value)
    assert not (tmp_path / "weights.json").exists() and not sent(hub)
    found = ask(hub, tmp_path, commits, "--acknowledge", '{"same-weights": "one is a copy on purpose"}')
    assert found["step9"]["parts"] == sorted(hashlib.sha256(part).hexdigest() for part in (b"a", b"b"))
    # nearly so: other files of another size, and files beside the weights that are equal
    good = publish(hub, {"step0": single("end "), "step512": single("end"), "step9": shards("a", "b")})
    assert len(ask(hub, tmp_path, good)) == 3


def test_a_branch_without_weights_ends_the_study_before_the_others_are_fetched(hub, waits, tmp_path):
    commits = publish(hub, {"step0": single("start"), "step9": SMALL})
    with pytest.raises(UserError, match="tiny-model at step9 has no weights in a supported format"):
        ask(hub, tmp_path, commits)
    assert not sent(hub)


def test_without_network_the_cache_tells_what_was_fetched(hub, waits, tmp_path, monkeypatch):
    commit = publish(hub, {"step0": shards("a", "b")})["step0"]
    source = {"repo": MODEL, "revision": "step0", "commit": commit}
    listed = listed_weights(source)
    checkpoint_folder(source)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert listed_weights(source) == listed
    assert re.fullmatch("[0-9a-f]{64}", listed["parts"][0])
    assert listed_weights(source | {"commit": "1" * 40}) is None
