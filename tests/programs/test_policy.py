"""A policy by the programs: rewarded by a rule or by a reward model, or refused with an error that helps."""

import json
from functools import partial

import pytest

from ripeness.measure.own_texts import columns_of_own_texts
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.tables.columns import CELLS
from ripeness.train.objectives.own_pairs import better_and_worse

SHARED = {"learning_rate": 3e-3, "batch_size": 4, "precision": "fp32", "seed": 1}
POLICY = SHARED | {"epochs": 1, "learns": "policy", "reward": "rule", "kl_weight": 0.05, "samples": 4, "tries": 4}
OF_POLICY = dict.fromkeys(("reward", "kl_weight", "samples", "tries"))
RULE = {"max_new_tokens": 4, "patterns": [["a\\w*$", 1.0], ["o", 0.3]]}


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Write a dozen items with a right and a wrong option, which are also answered by text."""
    path = tmp_path_factory.mktemp("films") / "films.jsonl"
    rows = [
        {"prompt": "the film was " + "far " * (n % 4) + "long\nit is", "choices": [" good", " bad"], "gold": 0,
         "target": " good"}
        for n in range(12)
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def tune(train_on, examples):
    """Give a function that trains, and returns the folder with model/ and record.json."""
    return partial(train_on, examples)


def rule(**change):
    return "--rule", json.dumps(RULE | change)


@pytest.mark.parametrize("kind", [{"kind": "full"}, {"kind": "lora", "rank": 2, "alpha": 4}], ids=["full", "lora"])
def test_a_policy_is_a_model_like_any_other_with_a_record_of_its_texts(tune, examples, checkpoint, kind):
    folder = tune("policy", POLICY | kind, *rule(), "--held-out", str(examples))
    record = read_json(folder / "record.json", dict)
    assert record["status"] == "done"
    assert len(record["losses"]) == len(record["curves"]["reward"]) == 3
    assert record["settings"] | POLICY | kind == record["settings"]
    assert record["settings"]["clip_range"] == 0.2  # what is not said is in the record too
    own = record["own_texts"]
    assert (own["n_items"], own["n_texts"]) == (12, 4)
    assert list(own["result"]["pass_at"]) == ["1", "2", "4"]
    assert own["start"]["truth"]["low"] <= own["start"]["truth"]["value"] <= own["start"]["truth"]["high"]
    columns = columns_of_own_texts(record)
    assert columns["kl"] == own["kl"]["value"] and columns["pass_at_1_before"] == own["start"]["pass_at"]["1"]["value"]
    assert columns["pass_at_64"] is columns["pass_at_64_se"] is None  # four texts have no pass@64
    assert columns["truth_se"] == own["result"]["truth"]["se"] > 0
    assert columns["pass_at_1_before_se"] == own["start"]["pass_at"]["1"]["se"]
    assert columns.keys() <= CELLS.keys()
    names = load_model(checkpoint).state_dict().keys()
    assert load_model(folder / "model").state_dict().keys() == names


def test_a_reward_model_rewards_a_policy_and_the_rule_tells_the_truth(tune, examples):
    reward = SHARED | {"epochs": 6, "learns": "reward", "learning_rate": 1e-2, "kind": "full"}
    model = tune("rm", reward) / "model"
    settings = POLICY | {"kind": "full", "reward": "rm", "algorithm": "ppo"}
    folder = tune("policy", settings, *rule(), "--reward-model", str(model), "--held-out", str(examples))
    record = read_json(folder / "record.json", dict)
    curves, own = record["curves"], record["own_texts"]
    assert all(reward != truth for reward, truth in zip(curves["reward"], curves["truth"], strict=True))
    assert own["result"]["reward"]["value"] != own["result"]["truth"]["value"]
    without = tune("apart", settings, "--rule", json.dumps({"max_new_tokens": 4}), "--reward-model", str(model))
    apart = read_json(without / "record.json", dict)
    assert apart["losses"] == record["losses"]  # the truth is recorded, and not learned from
    assert apart["curves"]["truth"] == [None] * 3 and apart["own_texts"] is None


def test_where_the_reward_model_diverged_nothing_is_tuned(tune, tmp_path, checkpoint):
    reward = SHARED | {"epochs": 1, "learns": "reward", "kind": "full"}
    folder = tune("rm", reward)
    record = tmp_path / "diverged.json"
    record.write_text('{"status": "diverged"}')
    settings = POLICY | {"kind": "full", "reward": "rm"}
    options = ["--reward-model", str(folder / "model"), "--reward-record", str(record)]
    found = read_json(tune("policy", settings, *rule(), *options) / "record.json", dict)
    assert (found["status"], found["reason"]) == ("diverged", "the reward model diverged")


PAIRS = SHARED | {"kind": "full", "epochs": 3, "learns": "preferences", "loss": "dpo", "beta": 0.1, "pairs": "rule"}


def test_pairs_are_drawn_from_the_start_and_ranked_by_the_rule(tune):
    record = read_json(tune("own", PAIRS, *rule()) / "record.json", dict)
    own = record["drawn_pairs"]
    assert own["n_prompts"] == 12 and 0 < own["n_pairs"] <= 12
    assert record["n_examples"] == own["n_pairs"] and record["status"] == "done"
    assert own["reward_chosen"] == own["truth_chosen"] > own["truth_rejected"]
    apart = [one["chosen_logp"] - one["rejected_logp"] for one in (record["pairs"][k] for k in ("start", "result"))]
    assert apart[1] > apart[0]
    again = read_json(tune("again", PAIRS, *rule()) / "record.json", dict)
    assert (again["losses"], again["drawn_pairs"]) == (record["losses"], own)
    other = read_json(tune("other", PAIRS | {"seed": 2}, *rule()) / "record.json", dict)
    assert other["drawn_pairs"] != own


def test_a_reward_model_ranks_them_in_the_place_of_the_rule(tune):
    model = tune("rm", SHARED | {"kind": "full", "epochs": 6, "learns": "reward", "learning_rate": 1e-2}) / "model"
    given = [*rule(), "--reward-model", str(model)]
    own = read_json(tune("ranked", PAIRS | {"pairs": "rm"}, *given) / "record.json", dict)["drawn_pairs"]
    assert own["reward_chosen"] > own["reward_rejected"] and own["reward_chosen"] != own["truth_chosen"]


def test_where_no_two_texts_differ_in_worth_nothing_is_tuned(tune):
    alike = tune("alike", PAIRS, "--rule", json.dumps({"max_new_tokens": 4, "patterns": [["^", 1.0]]}))
    record = read_json(alike / "record.json", dict)
    assert record["status"] == "diverged" and record["reason"].startswith("no two texts of the start")
    assert load_model(alike / "model") is not None


@pytest.mark.parametrize(
    ("pair", "found"),
    [([1.0, 0.0], [(0, 1)]), ([0.0, 1.0], [(1, 0)]), ([1.0, 1.0], []), ([float("nan"), 1.0], [])],
)
def test_equal_texts_and_those_without_a_number_make_no_pair(pair, found):
    assert better_and_worse(pair) == found
    assert better_and_worse([0.5, 0.5, *pair]) == [(one + 2, other + 2) for one, other in found]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, [], "needs --rule\nhint: "),
        ({"learns": None, "reward": None, "kl_weight": None, "samples": None, "tries": None}, rule(),
         "--rule: they belong to a policy, and none is trained\nhint: "),
        (PAIRS | OF_POLICY, [], "from drawn pairs needs --rule\nhint: "),
        (PAIRS | OF_POLICY | {"pairs": "rm"}, rule(), "settings.pairs is 'rm', .*\nhint: --reward-model FOLDER"),
        (PAIRS | OF_POLICY, [*rule(), "--held-out", "CHECKPOINT"], "--held-out: what learns preferences"),
        ({"reward": "rm"}, rule(), "'rm', which goes with another option\nhint: --reward-model FOLDER"),
        ({}, [*rule(), "--reward-model", "CHECKPOINT"], "'rule', which goes with another option\nhint: leave"),
        ({"reward": "rm"}, [*rule(), "--reward-model", "CHECKPOINT"], "is no reward model\nhint: "),
        ({}, rule(strange=1), "--rule: unknown strange"),
        ({}, rule(metric="rouge"), "--rule: unknown metric 'rouge'\nhint: did you mean 'rouge_l'"),
        ({}, ["--rule", '{"max_new_tokens": 4}'], "no rule that gives a text its reward\nhint: "),
        ({}, rule(max_new_tokens=900), "has room for -\\d+ before a text\nhint: "),
        ({}, rule(patterns=[["(", 1.0]]), "does not parse"),
        ({"reward": None}, rule(), "lacks reward\nhint: "),
        ({"samples": 1}, rule(), "a text is compared with others .* there is only 1\nhint: "),
        ({"rule_share": 0.5}, rule(), "the rule is all of the reward\nhint: "),
        ({"max_kl": 0}, rule(), "max_kl: 0 is not above 0"),
        ({"algorithm": "grpoo"}, rule(), "unknown algorithm 'grpoo'\nhint: did you mean 'grpo'"),
        ({"replay": 0.5}, rule(), "`replay` is a share of examples, of which a policy has none\nhint: "),
        ({"pull": 0.5, "kind": "full"}, rule(), "`pull` holds the weights .*\nhint: "),
        ({"kind": "prefix", "tokens": 2}, rule(), "does not learn policy"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tune, checkpoint, change, options, message):
    settings = {key: value for key, value in (POLICY | {"kind": "full"} | change).items() if value is not None}
    with pytest.raises(UserError, match=message):
        tune("policy", settings, *(str(checkpoint) if one == "CHECKPOINT" else one for one in options))
