"""Losses of pairs are those written by hand, whatever is read together; a killed training goes on to the bit."""

import math
from dataclasses import replace

import pytest
import torch
from killed import killed_after

from ripeness.runtime.errors import UserError
from ripeness.study.methods.full import FullSettings
from ripeness.study.objectives.preferences import PreferenceGoal
from ripeness.study.objectives.reward import RewardGoal
from ripeness.train.loop import batches, train
from ripeness.train.objectives.pairs import cycled, n_prompt, pairs_of
from ripeness.train.objectives.preferences import PairSummary, warnings_of
from ripeness.train.objectives.register import objective_of
from ripeness.train.resume import Progress

SETTINGS = FullSettings(learning_rate=3e-3, epochs=2, batch_size=4, warmup_ratio=0.0, precision="fp32", seed=1)
ROWS = [
    {
        "item": f"row{n}",
        "prompt": "the film was " + "far " * (n % 4) + "long\nit is",
        "choices": [[" good", " bad and short"], [" far away", " good"]][n % 2],
        "gold": n % 2,
    }
    for n in range(8)
]
GOALS = {
    "dpo": PreferenceGoal(loss="dpo", beta=0.3),
    "ipo": PreferenceGoal(loss="ipo", beta=0.4),
    "kto": PreferenceGoal(loss="kto", beta=0.3),
    "simpo": PreferenceGoal(loss="simpo", beta=2.0, gamma=0.5),
    "orpo": PreferenceGoal(loss="orpo", beta=0.5),
}


def softplus(x):
    return math.log1p(math.exp(x))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def logps(model, example):
    """Log-probabilities of the answer's tokens, by one pass of plain transformers."""
    with torch.no_grad():
        found = model(torch.tensor([example.tokens])).logits[0].log_softmax(-1)
    n = n_prompt(example)
    return [found[t - 1, example.tokens[t]].item() for t in range(n, len(example.tokens))]


def loss_of_pair(goal, better, worse, gains, kl):
    """The loss of one pair, from the log-probabilities of its tokens and what its answers have gained."""
    means, beta = [sum(better) / len(better), sum(worse) / len(worse)], goal.beta
    if goal.loss == "dpo":
        return softplus(-beta * (gains[0] - gains[1]))
    if goal.loss == "ipo":
        return (gains[0] / len(better) - gains[1] / len(worse) - 1 / (2 * beta)) ** 2
    if goal.loss == "kto":
        return (2 - sigmoid(beta * (gains[0] - kl)) - sigmoid(beta * (kl - gains[1]))) / 2
    if goal.loss == "simpo":
        return softplus(goal.gamma - beta * (means[0] - means[1]))
    odds = [mean - math.log(1 - math.exp(mean)) for mean in means]
    return beta * softplus(odds[1] - odds[0])


def loss_by_hand(goal, model, start, batch):
    """The loss of a batch after the papers, one text at a time."""
    answers = [[logps(model, answer) for answer in pair.answers] for pair in batch]
    gains = [
        [sum(now) - sum(logps(start, answer)) for now, answer in zip(both, pair.answers, strict=True)]
        for both, pair in zip(answers, batch, strict=True)
    ]
    kl = max(0, sum(sum(logps(model, one)) - sum(logps(start, one)) for one in cycled(batch, 64)) / (2 * len(batch)))
    loss = sum(loss_of_pair(goal, *both, gain, kl) for both, gain in zip(answers, gains, strict=True)) / len(batch)
    better = [token for both in answers for token in both[0]]
    return loss if goal.loss != "orpo" else loss - sum(better) / len(better)


@pytest.fixture(scope="module")
def pairs(tokenizer):
    return pairs_of(ROWS, tokenizer, max_length=64)


def tune(model, pairs, goal, **how):
    objective = objective_of(goal)
    settings = replace(SETTINGS, **how.pop("changes", {}))
    return train(model, pairs, settings, pad=0, objective=objective, **how), objective


@pytest.mark.parametrize("loss", GOALS)
def test_losses_are_those_of_the_papers(tiny_model, pairs, loss):
    start, model = tiny_model(), tiny_model()
    first, other = batches(pairs, SETTINGS)[:2]
    outcome, _ = tune(model, pairs, GOALS[loss], changes={"steps": 2})
    assert outcome.losses[0] == pytest.approx(loss_by_hand(GOALS[loss], start, start, first), abs=1e-4)
    after = tiny_model()
    tune(after, pairs, GOALS[loss], changes={"steps": 1, "schedule": "constant"})
    outcome, _ = tune(tiny_model(), pairs, GOALS[loss], changes={"steps": 2, "schedule": "constant"})
    assert outcome.losses[1] == pytest.approx(loss_by_hand(GOALS[loss], after, start, other), abs=1e-4)


@pytest.mark.parametrize("loss", ["dpo", "kto", "orpo"])
def test_losses_do_not_depend_on_what_is_read_together(tiny_model, pairs, loss, monkeypatch):
    expected, _ = tune(tiny_model(), pairs, GOALS[loss])
    few, _ = tune(tiny_model(), pairs, GOALS[loss], row_tokens=30)
    assert few.losses == pytest.approx(expected.losses, abs=1e-4)
    monkeypatch.setattr("ripeness.models.forward.packing.reach", lambda model: 0)
    padded, _ = tune(tiny_model(), pairs, GOALS[loss])
    assert padded.losses == pytest.approx(expected.losses, abs=1e-4)


@pytest.mark.parametrize("goal", [GOALS["kto"], GOALS["dpo"], RewardGoal()], ids=["kto", "dpo", "reward"])
def test_a_killed_training_goes_on_to_the_same_weights(tiny_model, tokenizer, tmp_path, goal):
    units = objective_of(goal).units(ROWS, tokenizer, max_length=64)
    whole = tiny_model()
    expected, objective = tune(whole, units, goal)
    progress = Progress(tmp_path / "state", "mine", 0)

    with killed_after(2):
        tune(tiny_model(), units, goal, progress=progress)
    model = tiny_model()
    outcome, again = tune(model, units, goal, progress=progress)
    assert outcome.losses == expected.losses and again.record() == objective.record()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), whole.parameters(), strict=True))
    if outcome.learned:
        assert torch.equal(outcome.learned["weight"], expected.learned["weight"])


def test_a_model_comes_to_prefer_the_better_answers(tiny_model, pairs):
    model = tiny_model()
    outcome, objective = tune(model, pairs, GOALS["dpo"], changes={"epochs": 8})
    found = objective.record()["pairs"]
    assert outcome.losses[0] == pytest.approx(math.log(2)) and outcome.losses[-1] < 0.3
    expected = [sum(logps(model, pair.chosen)) > sum(logps(model, pair.rejected)) for pair in pairs]
    assert found["result"]["preferred"] == sum(expected) / 8 == 1.0
    start = tiny_model()
    mean = sum(sum(found) / len(found) for found in (logps(start, pair.chosen) for pair in pairs)) / 8
    assert found["start"]["chosen_logp"] == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize("goal", [GOALS["dpo"], RewardGoal()], ids=["dpo", "reward"])
def test_a_rate_too_high_is_recorded_as_divergence_with_its_curve(tiny_model, tokenizer, goal):
    units = objective_of(goal).units(ROWS, tokenizer, max_length=64)
    outcome, objective = tune(tiny_model(), units, goal, changes={"learning_rate": 1e30})
    assert outcome.status == "diverged" and outcome.losses[0] == pytest.approx(math.log(2))
    record = objective.record()
    assert "reward_accuracy" not in record and ("pairs" not in record or set(record["pairs"]) == {"start"})


def test_a_reward_leads_where_the_answer_is_better_and_starts_equal(tiny_model, tokenizer):
    model, goal = tiny_model(), RewardGoal()
    before = [weight.clone() for weight in model.get_output_embeddings().parameters()]
    units = objective_of(goal).units(ROWS, tokenizer, max_length=64)
    outcome, objective = tune(model, units, goal, changes={"epochs": 8, "learning_rate": 1e-2})
    assert outcome.losses[0] == pytest.approx(math.log(2)) and outcome.losses[-1] < 0.3
    assert objective.record() == {"reward_accuracy": 1.0, "warnings": []}
    assert all(torch.equal(a, b) for a, b in zip(before, model.get_output_embeddings().parameters(), strict=True))
    pair, weight = units[0], outcome.learned["weight"]
    states = [model.eval().model(torch.tensor([one.tokens[:-1]])).last_hidden_state[0, -1] for one in pair.answers]
    assert states[0] @ weight > states[1] @ weight
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_reward_model_that_guesses_says_so(tiny_model, tokenizer):
    goal = RewardGoal()
    rows = [ROWS[0] | {"item": f"{n}", "gold": n % 2} for n in range(8)]  # either answer is the better one as often
    units = objective_of(goal).units(rows, tokenizer, max_length=64)
    _, objective = tune(tiny_model(), units, goal)
    record = objective.record()
    assert record["reward_accuracy"] == 0.5 and "of its own 8 training pairs, as by guessing" in record["warnings"][0]


def test_warnings_name_a_start_without_better_answers_and_a_collapse_of_both():
    start = PairSummary(0.5, -2.0, -2.1)
    assert warnings_of(start, PairSummary(1.0, -2.9, -9.0)) == []
    (collapse,) = warnings_of(start, PairSummary(1.0, -3.1, -9.0))
    assert "both answers became improbable: better ones lost 1.1 and worse ones 6.9 nats" in collapse
    assert warnings_of(start, PairSummary(1.0, -1.5, -30.0)) == []
    (collapse,) = warnings_of(start, PairSummary(0.0, None, -9.0))
    assert "better ones lost inf" in collapse
    (few,) = warnings_of(replace(start, preferred=0.04), PairSummary(0.1, -2.0, -2.0))
    assert few.startswith("the start gives the better answer more probability in 4% of the pairs only")
    assert warnings_of(replace(start, preferred=0.1), None) == []


def test_pairs_are_the_right_option_against_a_wrong_one(tokenizer):
    rows = [
        {"item": f"{n}", "prompt": "it is", "choices": [" no", " yes", " good", " bad"], "gold": 1} for n in range(9)
    ]
    pairs = pairs_of(rows, tokenizer, max_length=64)
    right, *wrong = ([tokenizer(text)["input_ids"][0], 0] for text in (" yes", " no", " good", " bad"))
    assert all(pair.chosen.tokens[-2:] == right for pair in pairs)
    assert {tuple(pair.rejected.tokens[-2:]) for pair in pairs} == set(map(tuple, wrong))
    assert pairs == pairs_of(rows, tokenizer, max_length=64)
    with pytest.raises(UserError, match="item '0' has no worse answer"):
        pairs_of([rows[0] | {"choices": [" yes", "  yes"], "gold": 0}], tokenizer, max_length=64)


def test_answers_are_cycled_over_prompts_of_other_pairs(pairs):
    batch = pairs[:3]
    answers = [pair.chosen for pair in batch] + [pair.rejected for pair in batch]
    for own, found, other in zip(answers, cycled(batch, 64), [answers[-1], *answers], strict=False):
        assert found.tokens == own.tokens[: n_prompt(own)] + other.tokens[n_prompt(other) :]
        assert found.targets[n_prompt(own) :] == other.targets[n_prompt(other) :]


def test_an_answer_after_a_longer_prompt_is_cut_to_the_longest_sequence(pairs):
    longest = max(len(answer.tokens) for pair in pairs for answer in pair.answers)
    whole, cut = list(cycled(pairs, 64)), list(cycled(pairs, longest))
    assert max(len(one.tokens) for one in whole) > longest == max(len(one.tokens) for one in cut)
    for one, other in zip(whole, cut, strict=True):
        assert one.tokens[:longest] == other.tokens and other.targets[-1] >= 0
