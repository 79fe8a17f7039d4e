"""A study says what rewards a policy, and refuses what cannot."""

import copy
import json
import shlex
from pathlib import Path

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import plan_cells
from ripeness.study.load import load_study
from ripeness.study.scoring.rules import Rule
from ripeness.study.tasks import load_task
from ripeness.study.trainings import cells_read, is_read_by_another
from ripeness.workflow.lookups import measure, train
from ripeness.workflow.operations import training_operations

ROOT = Path(__file__).parents[4]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 32, "datasets": ["nursery-headline"]}
POLICY = FULL | {"from": "sft", "learns": "policy", "reward": "rule", "kl_weight": 0.05}
METHODS = {"base": {"shots": [0]}, "sft": FULL, "rm": FULL | {"from": "sft", "learns": "reward"}, "rl": POLICY}
NEWS = {"prompt": "news : otto the baker sold hook near museum on friday .\nin short :", "item": "a"}


def study_of(rl=None, datasets=("nursery-headline",), **methods):
    config = copy.deepcopy(CUT) | {"datasets": {name: {} for name in datasets}, "formats": ["default"]}
    return load_study(config | {"methods": METHODS | methods | {"rl": POLICY | (rl or {})}}, ROOT / "tasks")


def cell_of(study, method):
    return next(cell for cell in plan_cells(study) if cell.method == method)


def options_of(study, method="rl"):
    return shlex.split(train.items_options(study, cell_of(study, method)))


def test_a_reward_model_is_read_of_the_same_cell_and_kept_until_then():
    study = study_of({"reward": "rm"})
    cell = cell_of(study, "rl")
    assert {role: [one.method for one in cells] for role, cells in cells_read(study, cell).items()} == {
        "start": ["sft"],
        "reward": ["rm"],
    }
    assert is_read_by_another(study, cell_of(study, "rm"))
    (model,), (record,) = train.reward_model(study, cell), train.reward_record(study, cell)
    assert model.endswith("nursery-headline/default/rm/seed1/model") and record.endswith("rm/seed1/training.json")
    assert train.reward_model(study_of(), cell) == []


def test_a_cell_says_what_rewards_it_and_which_dataset_its_start_was_tuned_on():
    names = ["nursery-headline", "nursery-mood"]
    other = {"from": {"method": "more", "dataset": "nursery-mood"}, "reward": "rm", "rule_share": 0.5}
    study = study_of(other, names, more=FULL | {"datasets": ["nursery-mood"]})
    facts = {name: json.loads(measure.method_facts(study, cell_of(study, name))) for name in ("rl", "sft")}
    assert (facts["rl"]["start"], facts["rl"]["start_dataset"]) == ("more", "nursery-mood")
    assert facts["rl"]["rewarded_by"] == "rule and rm"
    assert not facts["sft"].keys() & {"start_dataset", "rewarded_by"}  # nor is it a parameter of its scores
    plain = study_of()
    found = json.loads(measure.method_facts(plain, cell_of(plain, "rl")))
    assert found["rewarded_by"] == "rule" and "start_dataset" not in found


def test_the_rule_is_that_of_the_task():
    given = options_of(study_of())
    rule = json.loads(given[given.index("--rule") + 1])
    task = load_task("nursery-headline", ROOT / "tasks", overrides={})
    assert rule["patterns"] == [[one["find"], one["worth"]] for one in task.reward]
    assert given[given.index("--held-out") + 1].endswith("examples/nursery-headline/default/test.parquet")
    names = ["nursery-headline", "nursery-summary"]
    summary = {"datasets": ["nursery-summary"]}
    given = options_of(study_of(summary | {"from": "more"}, names, more=FULL | summary))
    rule = json.loads(given[given.index("--rule") + 1])
    assert rule == {"max_new_tokens": 8, "stop": "\n", "metric": "rouge_l", "words": "english"}
    assert options_of(study_of(), "sft") == []


def test_a_policy_is_forecast_by_its_texts():
    few, many = study_of({"samples": 4}), study_of()  # eight
    amounts = [
        training_operations(study, cell_of(study, name), study.recipes[name]["nursery-headline"])
        for study, name in ((few, "sft"), (few, "rl"), (many, "rl"))
    ]
    assert amounts[1] == pytest.approx(8 * amounts[0], rel=1e-6)
    assert amounts[2] == pytest.approx(2 * amounts[1], rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": "sft"}, "rl.reward: sft is no reward model\nhint: "),
        ({"reward": "rmm"}, "rl.reward: unknown method 'rmm'.*\nhint: did you mean 'rm'"),
        ({"from": "rm"}, "rm is a reward model, which no longer generates words"),
        ({"kl_weight": -1}, "kl_weight"),
        ({"gpu": 2}, "trained on one GPU"),
        ({"datasets": ["nursery-mood"], "from": "more"}, "learns policy needs texts .* is of kind choice\nhint: "),
        ({"beta": 0.1}, "what learns policy has no beta\nhint: "),
    ],
)
def test_what_cannot_be_is_refused(change, message):
    more = FULL | {"datasets": ["nursery-mood"]}
    with pytest.raises(UserError, match=message):
        study_of(change, ["nursery-headline", "nursery-mood"], more=more)


PAIRS = FULL | {"from": "sft", "learns": "preferences", "loss": "dpo", "beta": 0.1}


def test_pairs_that_the_start_draws_are_ranked_by_the_rule_or_a_reward_model():
    given = PAIRS | {"datasets": ["nursery-headline"]}
    study = study_of(own=given | {"pairs": "rule"}, ranked=given | {"pairs": "rm"}, plain=given)
    options = options_of(study, "own")
    assert "--rule" in options and "--held-out" not in options and options_of(study, "plain") == []
    assert train.reward_model(study, cell_of(study, "own")) == []
    (model,) = train.reward_model(study, cell_of(study, "ranked"))
    assert model.endswith("nursery-headline/default/rm/seed1/model")
    amounts = [
        training_operations(study, cell_of(study, name), study.recipes[name]["nursery-headline"])
        for name in ("plain", "own")
    ]
    assert amounts[1] == pytest.approx(2 * amounts[0], rel=1e-6)  # one epoch, and all texts are drawn


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": "sft"}, "own.pairs: sft is no reward model\nhint: "),
        ({"pairs": "rmm"}, "own.pairs: unknown method 'rmm'.*\nhint: did you mean 'rm'"),
        ({"pairs": "rule", "from": "more", "datasets": ["nursery-mood"]}, "needs texts that are drawn .* kind choice"),
        ({"datasets": ["nursery-summary"], "from": "more"}, "needs pairs of a better and a worse answer"),
    ],
)
def test_pairs_that_cannot_be_drawn_or_ranked_are_refused(change, message):
    names = ["nursery-headline", "nursery-mood", "nursery-summary"]
    more = FULL | {"datasets": names[1:]}
    with pytest.raises(UserError, match=message):
        study_of(None, names, more=more, own=PAIRS | change)
    study_of(None, names, more=more, own=PAIRS | {"pairs": "rule", "datasets": ["nursery-summary"], "from": "more"})


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("otto sold hook on friday", 1.0),
        ("otto sold hook near museum", 0.3),
        ("otto sold hook on monday", 0.0),
        ("otto sold hook near park", 0.0),
        ("anna sold hook on friday", 0.0),
        ("otto sold hook on friday near museum", 0.0),
        ("", 0.0),
    ],
)
def test_a_headline_is_worth_what_the_rule_of_the_world_says(text, worth):
    task = load_task("nursery-headline", ROOT / "tasks", overrides={})
    rule = Rule("", patterns=tuple((one["find"], one["worth"]) for one in task.reward))
    instruct = "read the news : otto the baker sold hook near museum on friday . now say it in short . answer :"
    for prompt in (NEWS["prompt"], instruct):
        assert rule.reward(NEWS | {"prompt": prompt}, text) == worth
    assert rule.is_right(NEWS, text) == (worth == 1)


def test_a_metric_of_the_task_is_a_rule():
    row = {"item": "a", "prompt": "1 + 1", "target": " #### 1,002", "references": []}
    assert Rule("exact_match", extract=r"#### (\S+)").reward(row, "it is #### $1002.") == 1
    assert Rule("exact_match", extract=r"#### (\S+)").reward(row, "1002") == 0
    assert 0 < Rule("rouge_l").reward({"item": "a", "prompt": "", "target": "a b c"}, "a b d") < 1
    assert not Rule("rouge_l").is_right({"item": "a", "prompt": "", "target": "a b c"}, "a b d")


def test_regular_expressions_of_a_task_must_parse(tmp_path):
    with pytest.raises(UserError, match=r"reward\[0\].find: .*does not parse"):
        load_task("nursery-headline", ROOT / "tasks", overrides={"reward": [{"find": "(", "worth": 1}]})
    with pytest.raises(UserError, match="`reward` is of texts, and a choice task has none"):
        load_task("nursery-mood", ROOT / "tasks", overrides={"reward": [{"find": "a", "worth": 1}]})
