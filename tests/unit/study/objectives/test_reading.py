"""What a model learns is read with its own settings; what cannot be is refused with a hint."""

import pytest

from ripeness.runtime.errors import UserError
from ripeness.study.methods.reading import read_settings
from ripeness.study.objectives.preferences import PreferenceGoal
from ripeness.study.objectives.reading import read_goal
from ripeness.study.objectives.reward import RewardGoal

FULL = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 4, "seed": 1}
DPO = FULL | {"learns": "preferences", "loss": "dpo", "beta": 0.1}


def test_settings_are_those_of_how_and_of_what():
    goal, others = read_goal(DPO)
    assert goal == PreferenceGoal(loss="dpo", beta=0.1)
    assert others == FULL | {"learns": "preferences"} and read_settings(others).learns == "preferences"
    assert read_goal(FULL | {"learns": "reward"})[0] == RewardGoal()
    assert read_goal(FULL) == (None, FULL) and read_goal(FULL | {"learns": "text"})[0] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learns": None}, "what learns answers has no loss, beta\nhint: learns: preferences, or leave the key out"),
        ({"learns": "reward"}, "what learns reward has no loss, beta\nhint: learns: preferences"),
        ({"loss": "ppo"}, "unknown loss 'ppo'\nhint: "),
        ({"beta": None}, "learns preferences lacks beta\nhint: e.g. loss: dpo and beta: 0.1"),
        ({"beta": 0}, "beta: 0 is not above 0"),
        ({"beta": "0.1"}, "beta is '0.1', not a number"),
        ({"gamma": 0.5}, "`gamma` and loss simpo go together; the loss is dpo\nhint: leave `gamma` out"),
        ({"loss": "simpo"}, "the loss is simpo\nhint: e.g. gamma: 0.5"),
        ({"loss": "kto", "batch_size": 1}, "batch_size is 1\nhint: set batch_size to 2 or more"),
        ({"gpu": 2}, "what learns preferences is trained on one GPU, not 2\nhint: gpu: 1"),
    ],
)
def test_what_cannot_be_is_refused(change, said):
    with pytest.raises(UserError) as refused:
        read_goal({key: value for key, value in (DPO | change).items() if value is not None})
    assert said in str(refused.value)


@pytest.mark.parametrize("key", ["replay", "pull"])
def test_a_reward_model_has_neither_replay_nor_pull(key):
    with pytest.raises(UserError, match=f"`{key}` .*\nhint: take out `{key}`"):
        read_goal(FULL | {"learns": "reward", key: 0.1})


@pytest.mark.parametrize(
    "kind", [{"kind": "prompt", "tokens": 4}, {"kind": "head", "moves": "all"}, {"kind": "features"}]
)
def test_kinds_that_cannot_learn_preferences_say_so(kind):
    given = {"learns": "preferences", "seed": 1} | kind | ({} if kind["kind"] == "features" else FULL)
    with pytest.raises(UserError, match=f"kind {kind['kind']} does not learn preferences\nhint: "):
        read_settings(given)
