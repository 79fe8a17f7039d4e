"""A policy learns what is rewarded, from its own texts; it goes on to the bit, and too far a way is a result."""

import math
from dataclasses import replace

import pytest
import torch
from small_kinds import killed, same_weights

from ripeness.models.next_token import Sampling, Stopping
from ripeness.models.token_healing import Start
from ripeness.study.methods.reading import read_settings
from ripeness.study.objectives.policy import PolicyGoal
from ripeness.study.scoring.rules import Rule
from ripeness.train.loop import train
from ripeness.train.objectives.drawn_texts import Drawing, Question
from ripeness.train.objectives.held_out import Asked
from ripeness.train.objectives.own_texts import rise_without_truth
from ripeness.train.objectives.policy_objective import ROUND, Policy
from ripeness.train.objectives.rewards import Rewards

SHARED = {"learning_rate": 3e-3, "epochs": 4, "batch_size": 4, "seed": 1, "precision": "fp32", "schedule": "constant"}
FULL = SHARED | {"kind": "full"}
GOAL = PolicyGoal(reward="rule", kl_weight=0.05, samples=6, tries=4, max_kl=50)
PROMPTS = ["the cat", "a dog sat", "good or bad is it", "see what", "far away", "yes", "the mat", "no long"]


class Likes(Rule):
    """Rewards texts that have some letter, so that a random model is right now and then."""

    def reward(self, row, text):
        return float("a" in text)

    def is_right(self, row, text):
        return "a" in text


def questions_of(tokenizer, prompts=PROMPTS):
    rows = ({"item": text, "cluster": text, "target": " cat", "references": [" cat"]} for text in prompts)
    return [Question(Start(tokenizer.encode(row["item"])), row) for row in rows]


def policy(tokenizer, goal=GOAL, *, rewards=None, batch_size=4, sampling=None):
    questions = questions_of(tokenizer)
    drawing = Drawing(tokenizer, Stopping(4), sampling or Sampling())
    asked = Asked(drawing, rewards or Rewards(Likes()), questions, questions[:3])
    return Policy(goal, asked, seed=1, batch_size=batch_size), questions


def learn(model, tokenizer, goal=GOAL, given=FULL, **more):
    objective, questions = policy(tokenizer, goal, **{key: more.pop(key) for key in ("rewards",) if key in more})
    outcome = train(model, questions, read_settings(given), pad=0, objective=objective, **more)
    return outcome, objective.record(), objective


@pytest.mark.parametrize("algorithm", ["grpo", "rloo", "ppo"])
@pytest.mark.parametrize("kind", ["full", "lora", "gpt_neox"])
def test_what_is_rewarded_becomes_more_likely(tiny_model, tokenizer, algorithm, kind):
    model = tiny_model("gpt_neox" if kind == "gpt_neox" else "llama")
    names = list(model.state_dict())
    lora = {"kind": "lora", "rank": 4, "alpha": 8, "learning_rate": 2e-2}
    goal = replace(GOAL, algorithm=algorithm, passes=2 if algorithm == "ppo" else 1, samples=16)
    given = FULL | {"epochs": 10 * goal.passes} | (lora if kind == "lora" else {})
    outcome, record, _ = learn(model, tokenizer, goal, given)
    curves, own = record["curves"], record["own_texts"]
    assert outcome.status == "done"
    assert len(outcome.losses) == 20 * goal.passes
    assert len(curves["reward"]) == 20
    assert sum(curves["reward"][-3:]) > sum(curves["reward"][:3]) + 0.3
    assert curves["kl"][0] == 0  # the first texts are those of the start
    assert own["result"]["reward"]["value"] > own["start"]["reward"]["value"]
    assert own["kl"]["value"] > 0
    assert own["win_rate_over_start"]["value"] > 0.5
    assert list(model.state_dict()) == names  # buffers and values are gone
    assert not hasattr(model, ROUND)


def test_rewards_that_are_all_alike_teach_nothing_by_themselves(tiny_model, tokenizer):
    model = tiny_model()

    class Same(Likes):
        def reward(self, row, text):
            return 1.0

    goal = replace(GOAL, kl_weight=0.0)
    outcome, record, _ = learn(model, tokenizer, goal, FULL | {"epochs": 1}, rewards=Rewards(Same()))
    assert outcome.status == "done"
    assert record["curves"]["differing"] == [0, 0]
    assert same_weights(model, tiny_model())


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("name", ["grpo", "ppo", "lora"])
def test_a_training_that_was_killed_goes_on_to_the_bit(tiny_model, tokenizer, tmp_path, name, after):
    goal = replace(GOAL, algorithm="ppo" if name == "ppo" else "grpo", passes=2)
    given = FULL | {"epochs": 2} | ({"kind": "lora", "rank": 4, "alpha": 8} if name == "lora" else {})
    expected, whole = tiny_model(), tiny_model()
    outcome, record, _ = learn(expected, tokenizer, goal, given)
    objective, questions = policy(tokenizer, goal)
    progress = killed(whole, questions, read_settings(given), tmp_path / "state", after, objective=objective)
    again = tiny_model()
    resumed, found, _ = learn(again, tokenizer, goal, given, progress=progress)
    assert resumed.losses == outcome.losses
    assert same_weights(again, expected)
    assert found == record


def test_going_too_far_from_the_start_is_a_result_with_its_curve(tiny_model, tokenizer):
    model = tiny_model()
    goal = replace(GOAL, max_kl=0.05, kl_weight=0.0)
    outcome, record, _ = learn(model, tokenizer, goal, FULL | {"learning_rate": 3e-2})
    assert outcome.status == "diverged"
    assert 1 < len(outcome.losses) < 8
    assert record["curves"]["kl_token"][-1] > 0.05
    assert all(kl <= 0.05 for kl in record["curves"]["kl_token"][:-1])
    assert "max_kl is 0.05" in record["warnings"][-1]
    assert record["own_texts"] is None
    assert not hasattr(model, ROUND)


def test_a_model_without_numbers_has_diverged(tiny_model, tokenizer):
    model = tiny_model()
    with torch.no_grad():
        model.lm_head.weight[:] = math.nan
    outcome, record, _ = learn(model, tokenizer)
    assert outcome.status == "diverged"
    assert record["curves"]["reward"] == [None]


def test_tokens_that_were_read_and_drawn_are_counted(tiny_model, tokenizer):
    goal = replace(GOAL, passes=2, tries=0)
    outcome, record, _ = learn(tiny_model(), tokenizer, goal, FULL | {"epochs": 2})
    assert len(outcome.losses) == 4
    n_prompts = [len(question.tokens) for question in questions_of(tokenizer)]
    drawn = sum(length * 4 * goal.samples for length in record["curves"]["length"])
    assert record["tokens_drawn"] == pytest.approx(drawn)
    # both rounds of the one epoch that is used: each prompt with each text, in two steps
    assert record["tokens_seen"] == 2 * (sum(n_prompts) * goal.samples + record["tokens_drawn"])


def test_a_learned_reward_is_distinguished_from_the_truth(tiny_model, tokenizer):
    """A reward model that likes what the rule does not: the reward rises, its truth falls, and the record says so."""
    letter = tokenizer.encode("a")[0]

    def wrong(texts):
        return [-float(any("a" in tokenizer.decode([token]) for token in text[-5:])) for text in texts]

    given = FULL | {"epochs": 12, "learning_rate": 1e-2}
    rewards = Rewards(Likes(), wrong, end=tokenizer.eos_token_id)
    _, record, _ = learn(tiny_model(), tokenizer, replace(GOAL, kl_weight=0.0, samples=16), given, rewards=rewards)
    curves = record["curves"]
    assert letter is not None
    assert curves["reward"][-1] > curves["reward"][0]
    assert curves["truth"][-1] < curves["truth"][0]
    assert any("the reward rose by" in warning for warning in record["warnings"])


def test_reward_and_truth_must_part_by_more_than_chance():
    rising, falling = [0.1, 0.2, 0.1, 0.5, 0.5, 0.8, 0.9, 0.8] * 1, [0.9, 0.8, 0.9, 0.5, 0.4, 0.2, 0.1, 0.2]
    assert "rose by" in rise_without_truth(rising, falling)
    assert rise_without_truth(rising, rising) is None
    assert rise_without_truth(falling, rising) is None
    assert rise_without_truth([0.1, 0.9] * 8, [0.9, 0.1] * 8) is None
    assert rise_without_truth(rising[:4], falling[:4]) is None


def test_a_share_of_the_rule_is_mixed_with_what_the_model_says(tokenizer):
    (question, *_), seen = questions_of(tokenizer), []

    def model(texts):
        seen.extend(texts)
        return [4.0]

    rewards = Rewards(Likes(), model, rule_share=0.25, end=0)
    assert rewards.of([question], [[5, 6]], ["cat"]) == ([0.25 * 1 + 0.75 * 4], [1.0])
    assert seen == [[*question.tokens, 5, 6, 0]]  # with the end that it lacked
    rewards.of([question], [[5, 0]], ["cat"])
    assert seen[1] == [*question.tokens, 5, 0]
