"""What is published of the series in series/: steps, tokens, learning rates and branches."""

import copy

import pytest
from published_series import CONFIG, NO_LOCK, ROOT, series

from resolve_revisions import lines_of
from ripeness.runtime.errors import UserError
from ripeness.study.learning_rates import learning_rate
from ripeness.study.load import load_study
from ripeness.study.published_runs import (
    known_steps,
    listed_steps,
    read_series,
    tokens_at,
)
from ripeness.study.series import even_picks

FILES = sorted(path.stem for path in (ROOT / "series").glob("*.yaml"))


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
