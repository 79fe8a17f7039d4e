"""Checkpoints that a study takes of a published run, by step, tokens, distance or name."""

import copy

import pytest
from published_series import CONFIG, NO_LOCK, ROOT, series

from ripeness.runtime.errors import UserError
from ripeness.study.grid import plan_cells
from ripeness.study.load import load_study
from ripeness.study.lock_file import commit_of, read_lock, with_commit, write_lock
from ripeness.study.published_runs import (
    pick_even,
    read_series,
    read_tokens,
    step_of,
)
from ripeness.study.schema import check_config
from ripeness.study.series import even_picks


@pytest.mark.parametrize(
    ("name", "branch", "step"),
    [("olmo-1b", "step342000-tokens1433B", 342000), ("olmo-1b", "main", None), ("pythia-14m", "step512", 512),
     ("olmo-2-1b", "stage1-step300-tokens1B", 300), ("olmo-2-1b", "stage2-ingredient1-step300-tokens1B", None),
     ("smollm2-135m", "step-240000", 240000), ("amber", "ckpt_007", 7), ("pythia-14m", "step5120-x", None)],
)  # fmt: skip
def test_a_branch_tells_its_step(name, branch, step):
    assert step_of(read_series(name), branch) == step


def test_even_distances_are_in_tokens_and_holes_are_said():
    # the list of OLMo-1B has nothing between 494 and 1,384 billion tokens
    picks = even_picks("mine", {"from": "olmo-1b", "seed": 0, "every": "250B tokens"}, read_series("olmo-1b"), NO_LOCK)
    assert picks.holes == [750 * 10**9, 1000 * 10**9, 1250 * 10**9]
    assert picks.steps[0] == 1000 and picks.steps[500 * 10**9] == 117850
    for target, step in picks.steps.items():
        assert abs(step * 4_194_304 - target) <= 250e9 / 4
    tokens = sorted(step * 4_194_304 for step in picks.steps.values())
    assert min(b - a for a, b in zip(tokens, tokens[1:], strict=False)) >= 125e9


@pytest.mark.parametrize(
    ("text", "tokens"), [("250B tokens", 250 * 10**9), ("1.5T tokens", 15 * 10**11), ("7 tokens", 7)]
)
def test_numbers_of_tokens_are_read(text, tokens):
    assert read_tokens(text) == tokens
    assert pick_even({"tokens_per_step": 1}, [0, 5, 10], 5).steps == {0: 0, 5: 5, 10: 10}


# references: the paper's own model from 0.5 to 3.1 trillion tokens; what the published list has near them
@pytest.mark.parametrize(
    ("wanted", "step"),
    [(0.5, 117850), (1.5, 358000), (1.75, 417000), (2.0, 477000), (2.3, 548000), (2.5, 596000), (2.75, 660000),
     (3.0, 720000), (3.1, 738020)],
)  # fmt: skip
def test_tokens_choose_the_nearest_published_step(wanted, step):
    line = {"tokens": round(wanted * 1e12), "lr": 0.5}
    found = series(**{"from": "olmo-1b"}, checkpoints=[line])[f"step{step}"]
    assert found["tokens"] == step * 4_194_304 == pytest.approx(wanted * 1e12, rel=0.012)
    assert found == series(**{"from": "olmo-1b"}, checkpoints=[{"step": step, "lr": 0.5}])[f"step{step}"]


def test_tokens_choose_among_the_branches_of_the_lock_file_and_by_a_name_only_where_none_is_known():
    lock = {
        "models": {"a/b": {"is_whole": True, "revisions": {"step9-a": "1" * 40, "step8": "2" * 40}}},
        "datasets": {},
    }
    found = series(lock, repo="a/b", tokens_per_step=10, checkpoints=[{"tokens": 83, "name": "early"}])
    assert found["early"]["commit"] == "2" * 40 and found["early"]["tokens"] == 80
    # the name of an end that the series file knows means that end, whose line may say other tokens
    named = series(**{"from": "olmo-1b"}, checkpoints=[{"name": "main", "tokens": 7}])["main"]
    assert named["revision"] == "main" and named["tokens"] == 7
    # tokens of a checkpoint on disk are what it has seen
    on_disk = series(**{"from": "olmo-1b"}, checkpoints=[{"path": "x", "name": "mine", "tokens": 7}])["mine"]
    assert on_disk == {"path": "x", "tokens": 7}


def test_a_plan_is_complete_without_network_and_without_a_lock_file(tmp_path):
    config = copy.deepcopy(CONFIG) | {"texts": {}, "suites": {"own": {"datasets": "own", "formats": "trained"}}}
    olmo = {"from": "olmo-1b", "every": "1T tokens", "checkpoints": [{"step": 342000}, {"name": "main"}]}
    seeds = {f"tiny-{seed}": {"from": "polypythia-14m", "seed": seed, "checkpoints": [{"step": 0}]} for seed in (3, 9)}
    study = load_study(config | {"series": {"olmo": olmo} | seeds}, ROOT / "tasks", tmp_path / "none.yaml")
    assert list(study.checkpoints["olmo"])[:3] == ["step342000", "main", "step1000"]
    assert len(study.checkpoints["olmo"]) == 5  # 0, 2 and 3 trillion tokens; 1 is a hole
    entry = study.checkpoints["olmo"]["step342000"]
    assert entry == {
        "step": 342000, "tokens": 1_434_451_968_000, "lr": entry["lr"], "repo": "allenai/OLMo-1B-hf",
        "revision": "step342000-tokens*B", "by_step": True, "commit": None,
    }  # fmt: skip
    assert entry["lr"] == pytest.approx(2.47e-4, rel=0.05)
    assert study.checkpoints["olmo"]["main"]["phase"] == "decayed"
    assert study.checkpoints["tiny-9"]["step0"]["repo"] == "EleutherAI/pythia-14m-seed9"
    assert len({cell.checkpoint for cell in plan_cells(study)}) == len(study.checkpoints["olmo"]) + 1


def test_the_lock_file_says_branch_and_commit_and_wins_over_lists(tmp_path):
    commit = {name: str(number) * 40 for number, name in enumerate(("step9-a", "step8-tokens1B", "main", "x"), 1)}
    lock = {"models": {"a/b": {"is_whole": True, "revisions": commit}}, "datasets": {}}
    write_lock(lock, tmp_path / "lock.yaml")
    text = (tmp_path / "lock.yaml").read_text()
    write_lock(read_lock(tmp_path / "lock.yaml"), tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_text() == text and text.index("main") < text.index("step8")
    settings = {"repo": "a/b", "tokens_per_step": 10, "every": "80 tokens"}
    found = series(read_lock(tmp_path / "lock.yaml"), **settings, checkpoints=[{"revision": "main", "step": 3}])
    assert {name: entry["commit"] for name, entry in found.items()} == {"step3": "3" * 40, "step8": "2" * 40}
    assert found["step8"]["revision"] == "step8-tokens1B" and "by_step" not in found["step8"]
    # own lines win over what a series file says
    assert series(lock, **settings, checkpoints=[{"step": 9, "tokens": 97, "lr": 0.5}])["step9"]["tokens"] == 97
    assert commit_of({"revision": "0" * 40}) == "0" * 40
    source = {"hub": "a/d", "revision": "main"}
    assert with_commit(lock, source, "a/d") == source | {"commit": None}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"from": "olmo1b", "checkpoints": [{"step": 1000}]}, "unknown series 'olmo1b'.*\nhint: did you mean"),
        ({"from": "olmo-1b", "checkpoints": [{"step": 342500}]}, "not published\nhint: .* 340000, 342000, 343000"),
        ({"from": "olmo-1b", "checkpoints": [{"name": "soup"}]}, "has neither step nor revision\nhint: "),
        ({"from": "polypythia-14m", "seed": 0, "checkpoints": [{"step": 0}]}, "0 is not one of the published seeds"),
        ({"repo": "a/b", "every": "5B tokens"}, "only if `tokens_per_step` is known\nhint: "),
        ({"repo": "a/b", "tokens_per_step": 9, "every": "5B tokens"}, "neither in a series file nor in .*\nhint: make"),
        ({"repo": "a/b", "checkpoints": [{"step": 9}]}, "needs `repo` in the series, and `step` and `tokens`"),
        ({"repo": "a/b", "checkpoints": [{"revision": "main", "tokens": 9}]}, "needs `repo` .* and `step`"),
        ({"from": "olmo-1b", "checkpoints": [{"tokens": 10**12}]}, "within 5% of 1,000,000,000,000 tokens\nhint: .*"
         "step 117850 with 494,298,726,400 and step 330000 with 1,384,120,320,000"),
        ({"from": "olmo-1b", "checkpoints": [{"tokens": 4 * 10**12}]}, "each side: step 738020 with 3,095"),
        ({"from": "olmo-1b", "checkpoints": [{"tokens": 3 * 10**12}, {"tokens": 3 * 10**12 + 1}]}, "duplicate"),
        ({"repo": "a/b", "checkpoints": [{"tokens": 9}]}, "only if `tokens_per_step` is known\nhint: "),
        ({"repo": "a/b", "tokens_per_step": 9, "checkpoints": [{"tokens": 9}]}, "neither in a series file nor in "),
        ({"repo": "a/b"}, "missing 'checkpoints'.*\nhint: "),
        ({"from": "olmo-1b", "every": "0 tokens"}, "'0 tokens' is not a number of tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_said(settings, message):
    with pytest.raises(UserError, match=message):
        series(**settings)


@pytest.mark.parametrize(
    "lock", ["models: []", "models: {a/b: {}}", "models: {a/b: {revisions: {x: abc}}}", "others: {}"]
)
def test_a_lock_file_that_nobody_wrote_is_refused(tmp_path, lock):
    (tmp_path / "lock.yaml").write_text(lock)
    with pytest.raises(UserError, match=r"lock.yaml: .* is not in the form that `make resolve` writes\nhint: "):
        read_lock(tmp_path / "lock.yaml")


def test_a_study_may_name_a_branch_of_a_dataset_and_of_a_text():
    config = copy.deepcopy(CONFIG)
    text = {"id": "a/b", "revision": "refs/convert/parquet", "column": "text", "train": "x", "validation": "y"}
    config["series"]["nursery"]["pretrain"]["source"] = {"hub": text}
    assert check_config(config)["series"]["nursery"]["pretrain"]["source"]["hub"] == text
