"""What is published of the series in series/: steps, tokens, learning rates, branches; and what a study makes of it."""

import copy
from pathlib import Path

import pytest
from nursery import tuned_nursery

from resolve_revisions import lines_of
from ripeness.runtime.errors import UserError
from ripeness.study.grid import plan_cells
from ripeness.study.learning_rates import learning_rate
from ripeness.study.load import load_study
from ripeness.study.lock_file import commit_of, read_lock, with_commit, write_lock
from ripeness.study.published_runs import (
    known_steps,
    listed_steps,
    pick_even,
    read_series,
    read_tokens,
    step_of,
    tokens_at,
)
from ripeness.study.schema import check_config
from ripeness.study.series import even_picks, name_checkpoints

ROOT = Path(__file__).parents[3]
CONFIG = tuned_nursery()
FILES = sorted(path.stem for path in (ROOT / "series").glob("*.yaml"))
NO_LOCK = {"models": {}, "datasets": {}}


def series(lock=NO_LOCK, **settings):
    return name_checkpoints("mine", {"seed": 0} | settings, lock)


@pytest.mark.parametrize("name", FILES)
def test_every_series_file_is_whole_and_serves_a_study(name):
    facts = read_series(name)
    assert facts["licence"] == "Apache-2.0" and known_steps(facts)
    settings = {"from": name, "seed": facts.get("seeds", [0])[-1]}
    steps = [known_steps(facts)[0], known_steps(facts)[-1]]
    lines = [{"step": step} for step in steps] + [{"name": end} for end in facts.get("named", {})]
    found = series(**settings, checkpoints=lines)
    assert [entry["tokens"] for entry in found.values()][:2] == [tokens_at(facts, step) for step in steps]
    assert all(entry["commit"] is None and "{" not in entry["repo"] for entry in found.values())


@pytest.mark.parametrize(
    ("name", "n_steps", "tokens"),
    [("olmo-1b", 351, 3.095e12), ("olmo-2-1b", 195, 4e12), ("pythia-70m", 154, 3e11), ("polypythia-14m", 154, 3e11),
     ("smollm2-135m", 8, 2.013e12), ("amber", 359, 1.2556e12), ("olmo-1b-0724", 1455, 3.049e12),
     ("pythia-2.8b", 69, 3e11)],
)  # fmt: skip
def test_steps_and_tokens_are_as_published(name, n_steps, tokens):
    facts = read_series(name)
    steps = known_steps(facts)
    assert len(steps) == n_steps
    assert tokens_at(facts, steps[-1]) == pytest.approx(tokens, rel=1e-3)


# references: "OLMo-1B's config is a single cosine run (peak 4e-4, ...)" gives these rates, to two digits
@pytest.mark.parametrize(
    ("tokens", "rate"),
    [(0.5, 3.8e-4), (1.0, 3.2e-4), (1.5, 2.3e-4), (2.0, 1.4e-4), (2.3, 9.7e-5), (2.5, 7.3e-5), (2.75, 5.1e-5),
     (3.0, 4.1e-5), (3.1, 4.0e-5)],
)  # fmt: skip
def test_the_rates_of_olmo_1b_are_those_of_its_published_schedule(tokens, rate):
    facts = read_series("olmo-1b")
    step = round(tokens * 1e12 / facts["tokens_per_step"])
    assert learning_rate(facts["learning_rate"], step) == pytest.approx(rate, rel=0.013)  # of two digits


def test_the_cosine_of_olmo_2_is_cut_off_before_its_end():
    facts = read_series("olmo-2-1b")
    assert learning_rate(facts["learning_rate"], 1907359) == pytest.approx(7.449e-5, rel=1e-3)


# file, place in it, what is published there, and where
PYTHIA, OLMO, AMBER = (
    f"https://github.com/{name}" for name in ("EleutherAI/pythia", "allenai/OLMo", "LLM360/amber-train")
)
SAME, LEFT_OUT = "same_weights", "left_out"
FACTS = [
    *((f"pythia-{size}", (SAME, 0, "checkpoints"), [0, 1], f"{PYTHIA}/issues/83")
      for size in ("70m", "160m", "410m", "1b")),
    *((f"pythia-{size}", (SAME, -1, "checkpoints"), [0, 2], f"{PYTHIA}/issues/198")
      for size in ("14m", "31m", "70m", "160m", "410m", "1b")),
    *(("polypythia-410m", (LEFT_OUT, n, "steps"), [step], f"{PYTHIA}/issues/202")
      for n, step in enumerate((111000, 88000, 40000))),
    *(("polypythia-410m", (LEFT_OUT, n, "seed"), seed, f"{PYTHIA}/issues/202") for n, seed in enumerate((2, 6, 9))),
    ("olmo-2-1b", (SAME, 0, "checkpoints"), ["stage2-ingredient3", "main"], f"{OLMO}#stage-2-for-the-1b"),
    *(("olmo-2-1b", ("named", name, "lr"), 0.0, "OLMo2-1B-stage2-seed42.yaml")
      for name in ("stage2-ingredient1", "stage2-ingredient2", "stage2-ingredient3", "main")),
    ("olmo-2-1b", ("repo",), "allenai/OLMo-2-0425-1B", "allenai/OLMo-2-0425-1B-early-training"),
    ("olmo-1b", ("repo",), "allenai/OLMo-1B-hf", f"{OLMO}/blob/620eaf24/checkpoints/official/OLMo-1B.csv"),
    ("pythia-14m", ("repo",), "EleutherAI/pythia-14m", "Sources contradict each other on the data"),
    ("pythia-31m", ("repo",), "EleutherAI/pythia-31m", "Sources contradict each other on the data"),
    ("amber", ("tokens_per_step",), 1_706_976 * 2_049, "main.py"),
    ("amber", ("learning_rate", "updates_per_step"), 1_706_976 // (56 * 4 * 10), "run.sh"),
    ("amber", ("learning_rate", "end_step"), 762 * 360, "main.py"),
    ("amber", ("named", "main", "phase"), "decayed", AMBER),
    ("amber", ("named", "main", "tokens"), 360 * 3_497_593_824, AMBER),
    ("smollm2-135m", ("learning_rate", "decay_from"), 1_600_000, "config_smollm2_135M.yaml"),
    ("smollm2-135m", ("learning_rate", "end_step"), 2_000_000, "config_smollm2_135M.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "place", "value", "source"), FACTS)
def test_a_file_says_what_is_published_and_where(name, place, value, source):
    found = read_series(name)
    for key in place:
        found = found[key]
    assert found == value
    assert source in (ROOT / f"series/{name}.yaml").read_text(encoding="utf-8")


# the published schedules at the steps that are published, and what a study makes of them
@pytest.mark.parametrize(
    ("name", "step", "rate", "phase"),
    [
        ("smollm2-135m", 240_000, 3.0e-3, None), ("smollm2-135m", 1_440_000, 3.0e-3, None),
        ("smollm2-135m", 1_680_000, 2.4e-3, "decayed"), ("smollm2-135m", 1_920_000, 6.0e-4, "decayed"),
        # 762, 1,524, 2,286 of the 2,000 steps of warm-up; half of the cosine; its end
        ("amber", 0, 3.0e-4 * 762 / 2000, None), ("amber", 1, 3.0e-4 * 1524 / 2000, None), ("amber", 2, 3.0e-4, None),
        ("amber", 180, 1.65e-4, None), ("amber", 358, 3.0e-5, None),
    ],
)  # fmt: skip
def test_a_checkpoint_has_the_rate_and_the_phase_of_its_published_schedule(name, step, rate, phase):
    (entry,) = series(**{"from": name}, checkpoints=[{"step": step}]).values()
    assert entry["lr"] == pytest.approx(rate, rel=0.01) and entry.get("phase") == phase


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.0), (50, 0.5), (100, 1.0), (500, 1.0), (501, 0.99), (550, 0.5), (600, 0.0), (700, 0.0)]
)
@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_a_rate_that_is_held_falls_from_where_it_is_said_to(step, rate, decay):
    schedule = {"peak": 1.0, "warmup_steps": 100, "decay": decay, "decay_from": 500, "end_step": 600}
    assert learning_rate(schedule, step) == pytest.approx(rate, abs=0.011)


@pytest.mark.parametrize(("seed", "step"), [(2, 111000), (6, 88000), (9, 40000)])
def test_a_branch_without_weights_is_not_taken_by_step_nor_by_tokens(seed, step):
    settings = {"from": "polypythia-410m", "seed": seed}
    with pytest.raises(UserError, match=rf"step {step} of .*-seed{seed} is left out: no weights \(https://.*/202"):
        series(**settings, checkpoints=[{"step": step}])
    assert series(**settings | {"seed": 3}, checkpoints=[{"step": step}])
    tokens = step * 2_097_152
    assert list(series(**settings, checkpoints=[{"tokens": tokens}])) == [f"step{step - 1000}"]
    # also where the lock file lists the branch
    names = {f"step{n}": "1" * 40 for n in (step - 2000, step, step + 1000)}
    lock = {"models": {f"EleutherAI/pythia-410m-seed{seed}": {"is_whole": True, "revisions": names}}, "datasets": {}}
    assert list(series(lock, **settings, checkpoints=[{"tokens": tokens}])) == [f"step{step + 1000}"]


def test_of_a_series_that_serves_its_end_under_other_names_only_the_others_are_taken():
    facts = read_series("pythia-2.8b")
    first, second = (listed_steps(entry["steps"]) for entry in facts["left_out"])
    # 76 branches as main, and ten that are one another: 86 of 154
    assert (len(first), len(second | {143000}), len(listed_steps(facts["steps"]))) == (76, 10, 154)
    with pytest.raises(UserError, match=r"step 0 of .* is left out: the weights of main \(.*/205\)\nhint: .* 66000"):
        series(**{"from": "pythia-2.8b"}, checkpoints=[{"step": 0}])
    # another repository in its place is not what is known to be wrong
    deduped = {"from": "pythia-2.8b", "repo": "EleutherAI/pythia-2.8b-deduped"}
    assert series(**deduped, checkpoints=[{"step": 0}])["step0"]["tokens"] == 0
    picks = even_picks("mine", {"from": "pythia-2.8b", "seed": 0, "every": "50B tokens"}, facts, NO_LOCK)
    assert picks.holes == [0, 50 * 10**9, 100 * 10**9] and min(picks.steps.values()) >= 66000


def test_what_is_known_to_be_wrong_is_shown_for_the_checkpoints_that_a_study_takes(tmp_path):
    lines = [{"step": 1}, {"step": 2}, {"step": 143000}]
    config = copy.deepcopy(CONFIG) | {"texts": {}, "suites": {"own": {"datasets": "own", "formats": "trained"}}}
    given = {
        "plain": {"from": "pythia-70m", "checkpoints": lines},
        "other": {"from": "pythia-70m", "repo": "EleutherAI/pythia-70m-deduped", "checkpoints": lines},
        "olmo": {"from": "olmo-2-1b", "checkpoints": [{"name": "main"}]},
        "seed2": {"from": "polypythia-410m", "seed": 2, "checkpoints": [{"step": 0}]},
        "large": {"from": "pythia-2.8b", "checkpoints": [{"step": 143000}]},
    }
    shown = lines_of(load_study(config | {"series": given}, ROOT / "tasks", tmp_path / "none.yaml"))
    known = [line.strip() for line in shown if "issues/" in line or "#stage" in line]
    assert known == [
        "step1: known to have the same weights: step 0 = step 1 (https://github.com/EleutherAI/pythia/issues/83)",
        "step2: known to have the same weights: step 0 = step 2 (https://github.com/EleutherAI/pythia/issues/198, "
        "a report without a comparison)",
        "main: known to have the same weights: stage2-ingredient3 = main "
        "(https://github.com/allenai/OLMo#stage-2-for-the-1b)",
        "left out, no weights (https://github.com/EleutherAI/pythia/issues/202): step 111000",
        f"left out, the weights of main ({PYTHIA}/issues/205): step 0, 1, 2 ... 140000 (76)",
        f"left out, the weights of step 143000 ({PYTHIA}/issues/205): step 54000, 56000, 57000 ... 64000 (9)",
    ]


@pytest.mark.parametrize(("step", "rate"), [(0, 0.1), (50, 0.55), (100, 1.0), (150, 0.5), (200, 0.0), (300, 0.0)])
def test_a_linear_schedule_warms_up_and_falls(step, rate):
    schedule = {"peak": 1.0, "warmup_steps": 100, "start_ratio": 0.1, "decay": "linear", "end_step": 200}
    assert learning_rate(schedule, step) == pytest.approx(rate)


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
