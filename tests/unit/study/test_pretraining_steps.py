"""The plan of a pre-training by schedule: phases, what is shared, what a new checkpoint runs, what is refused."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import state_steps
from ripeness.study.load import load_study
from ripeness.workflow.forecast import operations_of, pretraining_in_turn
from ripeness.workflow.lookups import audit
from ripeness.workflow.lookups import pretrain as pretrain_lookups

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
BUDGETS = [{"step": step} for step in (0, 100, 200, 400)]
COSINE, WSD = {"schedule": "cosine", "end_step": 400}, {"schedule": "wsd", "end_step": 400, "decay_steps": 100}
PER_BUDGET = {"schedule": "cosine-per-budget"}


def study_of(schedule, checkpoints):
    config = copy.deepcopy(CUT)
    config["series"]["nursery"]["pretrain"] |= schedule
    config["series"]["nursery"]["checkpoints"] = checkpoints
    return load_study(config, ROOT / "tasks")


def asked(name, **wildcards):
    return SimpleNamespace(series="nursery", checkpoint=name, **wildcards)


def asked_of_jobs(study):
    """What every job of the pre-training is asked to do, from what, by its name."""
    jobs = {}
    for name in study.checkpoints["nursery"]:
        place = asked(name)
        ask = (
            pretrain_lookups.pretraining_settings,
            pretrain_lookups.pretrained_checkpoint,
            pretrain_lookups.state_for,
        )
        jobs[name] = [lookup(study, place) for lookup in ask]
    for step in state_steps(study, "nursery"):
        place = SimpleNamespace(series="nursery", step=str(step))
        jobs[step] = [pretrain_lookups.pretraining_settings(study, place), pretrain_lookups.earlier_state(study, place)]
    return jobs


@pytest.mark.parametrize(
    ("schedule", "phases", "states"),
    [
        ({}, ["stable"] * 4, [0, 64, 128, 256]),
        (COSINE, ["stable"] * 3 + ["decayed"], [0, 64, 128, 256]),
        (WSD, ["stable"] * 3 + ["decayed"], [0, 64, 128, 256]),
        (PER_BUDGET, ["decayed"] * 4, []),
    ],
)
def test_phases_follow_from_the_schedule_and_only_shared_runs_keep_states(schedule, phases, states):
    study = study_of(schedule, BUDGETS)
    told = [json.loads(job[1]) for name, job in asked_of_jobs(study).items() if isinstance(name, str)]
    assert [line["phase"] for line in told] == phases
    audited = audit.audited_series(study, "nursery")["checkpoints"]
    assert [point["phase"] for point in audited] == phases
    assert [(point["step"], point["tokens"]) for point in audited] == [(n, n * 1024) for n in (0, 100, 200, 400)]
    assert state_steps(study, "nursery") == states


def test_a_run_for_each_budget_is_a_cosine_to_its_own_end_from_the_first_step():
    jobs = asked_of_jobs(study_of(PER_BUDGET | {"final_ratio": 0.05}, BUDGETS))
    settings = {name: json.loads(job[0]) for name, job in jobs.items()}
    ends = {name: (told.get("schedule"), told.get("end_step")) for name, told in settings.items()}
    assert ends == {"step0": (None, None)} | {f"step{n}": ("cosine", n) for n in (100, 200, 400)}
    assert settings["step100"]["final_ratio"] == 0.05
    assert len({json.dumps(told | {"end_step": 0}) for name, told in settings.items() if name != "step0"}) == 1
    assert all(job[2] == [] for job in jobs.values())


@pytest.mark.parametrize(
    ("schedule", "new"),
    [(PER_BUDGET, {"step": 800}), (PER_BUDGET, {"step": 300}), (COSINE, {"step": 300}), (WSD, {"step": 350}),
     (WSD, {"anneal_from": 200, "steps": 50})],
)  # fmt: skip
def test_a_new_checkpoint_is_one_line_and_changes_no_other_job(schedule, new):
    before = asked_of_jobs(study_of(schedule, BUDGETS))
    after = asked_of_jobs(study_of(schedule, [*BUDGETS, new]))
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1


def test_a_later_end_of_a_run_with_a_decay_leaves_its_stable_part_as_it_is():
    before = asked_of_jobs(study_of(WSD, BUDGETS))
    after = asked_of_jobs(study_of(WSD | {"end_step": 500}, BUDGETS))
    assert {name for name in before if before[name] != after[name]} == {"step400"}
    constant = asked_of_jobs(study_of({}, BUDGETS))
    assert {name for name in before if before[name] != constant[name]} == {"step400"}
    fall = json.loads(before["step400"][1])
    assert (fall["from_step"], fall["steps"], fall["step"]) == (300, 100, 400)


def test_the_steps_of_every_schedule_are_counted():
    def steps(schedule, checkpoints=BUDGETS):
        found = operations_of(study_of(schedule, checkpoints))
        a_step = operations_of(study_of({}, BUDGETS))["pretrain_state"]["nursery/step64"] / 64
        return sum(sum(found.get(rule, {}).values()) for rule in ("pretrain_state", "pretrain_checkpoint")) / a_step

    assert steps({}) == steps(COSINE) == pytest.approx(256 + 36 + 72 + 144)
    assert steps(WSD) == pytest.approx(256 + 36 + 72 + 144)
    assert steps(PER_BUDGET) == pytest.approx(100 + 200 + 400)
    assert steps({}, [{"step": 64}, {"anneal_from": 64, "steps": 50}]) == pytest.approx(64 + 50)


def test_runs_of_their_own_start_longest_first_and_before_states_that_others_wait_for():
    study = study_of(PER_BUDGET, BUDGETS)
    names = [f"step{n}" for n in (400, 200, 100, 0)]
    order = [pretrain_lookups.pretraining_priority(study, asked(name)) for name in names]
    assert order == sorted(order, reverse=True) and len(set(order)) == 4 and min(order) > 30
    assert pretrain_lookups.pretraining_priority(study_of({}, BUDGETS), asked("step100")) == 20
    jobs, seconds = {"pretrain_checkpoint": 4}, {"pretrain_checkpoint": 10.0}
    assert pretraining_in_turn(study, jobs, seconds) == pytest.approx(10 * 400 / 175)  # the longest over the mean
    assert pretraining_in_turn(study, {"pretrain_state": 2}, {"pretrain_state": 3.0}) == 6


@pytest.mark.parametrize(
    ("schedule", "line", "message"),
    [
        ({"schedule": "linear"}, {"step": 1}, "'linear' is not one of constant, cosine, wsd"),
        ({"schedule": "cosine"}, {"step": 1}, "pretrain.schedule: 'cosine' has no further key; it needs end_step, and"),
        ({"end_step": 5}, {"step": 1}, "'constant' has end_step; it needs none, and may have no other\nhint: "),
        (WSD | {"final_ratio": 0.1}, {"step": 1}, "'wsd' has .*final_ratio; it needs decay_steps, end_step"),
        (COSINE | {"end_step": 20}, {"step": 1}, "pretrain.end_step: 20 is not after the 20 warmup_steps"),
        (WSD | {"decay_steps": 390}, {"step": 1}, "pretrain.decay_steps: .* 390 steps .* before the 20 warmup_steps"),
        (COSINE, {"step": 401}, "checkpoints.0: step 401 is past the end of the run, step 400\nhint: "),
        (COSINE, {"anneal_from": 400, "steps": 9}, "at step 400 the rate has already fallen\nhint: "),
        (WSD, {"anneal_from": 301, "steps": 9}, "at step 301 the rate has already fallen\nhint: "),
        (PER_BUDGET, {"anneal_from": 100, "steps": 9}, "a run of its own, which ends decayed; .*\nhint: "),
        (PER_BUDGET, {"step": 20}, "a budget of 20 steps is over before the 20 warmup_steps are\nhint: "),
    ],
)
def test_schedules_and_places_that_make_no_sense_are_refused_with_what_to_do(schedule, line, message):
    with pytest.raises(UserError, match=message):
        study_of(schedule, [line])
