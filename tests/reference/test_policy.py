"""GRPO and RLOO have the losses, step by step, of trl: same model, texts, rewards and settings."""

import pytest

pytest.importorskip("trl", reason="trl is not installed; see requirements-dev.lock")

import copy
import math

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from ripeness.models.next_token import Sampling, Stopping
from ripeness.models.token_healing import Start
from ripeness.study.methods.full import FullSettings
from ripeness.study.objectives.policy import PolicyGoal
from ripeness.study.scoring.rules import Rule
from ripeness.train.loop import batches, train
from ripeness.train.objectives import policy_losses as by
from ripeness.train.objectives.drawn_texts import Drawing, Question
from ripeness.train.objectives.held_out import Asked
from ripeness.train.objectives.policy_objective import Policy
from ripeness.train.objectives.rewards import Rewards

TOLERANCE = 1e-4
SAMPLES, PROMPTS, TEMPERATURE = 4, 2, 0.8
SETTINGS = FullSettings(
    learning_rate=3e-3, epochs=2, batch_size=PROMPTS, warmup_ratio=0.2, weight_decay=0.1, clip=1.0, precision="fp32",
    seed=1,
)  # fmt: skip


class Length(Rule):
    """Rewards that differ: a remainder of the number of characters."""

    def reward(self, row, text):
        return len(text) % 8 / 8


def ours(model, tokenizer, algorithm, kl_weight, passes):
    """Train; return the losses, and the prompts and texts of each round."""
    rows = [{"item": str(n), "prompt": "the film was " + "far " * (n * 7 % 5) + "long"} for n in range(20)]
    questions = [Question(Start(tokenizer.encode(row["prompt"])), row) for row in rows]
    goal = PolicyGoal(
        reward="rule", kl_weight=kl_weight, algorithm=algorithm, samples=SAMPLES, temperature=TEMPERATURE,
        passes=passes, clip_range=0.05, max_kl=math.inf, tries=0,
    )  # fmt: skip
    drawing, rounds = Drawing(tokenizer, Stopping(6), Sampling()), []

    class Noting(Policy):
        def draw_round(self, step, asked, room):
            super().draw_round(step, asked, room)
            written = zip(self.round.written.tolist(), self.round.n_tokens.tolist(), strict=True)
            rounds.append((asked, [tokens[:n] for tokens, n in written]))

    policy = Noting(goal, Asked(drawing, Rewards(Length()), questions, []), seed=1, batch_size=PROMPTS)
    outcome = train(model, questions, SETTINGS, pad=0, objective=policy, row_tokens=60)
    assert outcome.status == "done" and len(outcome.losses) == 20
    prompts = [one for batch in batches(questions, SETTINGS) for one in batch]
    return outcome.losses, rounds, prompts, drawing


def with_texts(trainer, rounds, drawing):
    """A trainer of trl that is given the texts of a run of ours."""
    waiting = iter(rounds)

    class Given(trainer):
        def _generate(self, prompts):
            asked, written = next(waiting)
            questions = [one for one in asked for _ in range(SAMPLES)]
            assert prompts == [one.row["prompt"] for one in questions]
            texts = [drawing.text(*one) for one in zip(questions, written, strict=True)]
            found = [one.tokens for one in questions], written
            return (*found, None, texts, None, {}, None, None) if trainer is GRPOTrainer else (*found, texts)

    return Given


CASES = [
    (GRPOTrainer, GRPOConfig, "grpo", {"loss_type": "grpo", "scale_rewards": "group"}),
    (RLOOTrainer, RLOOConfig, "rloo", {}),
]


@pytest.mark.parametrize(("kl_weight", "passes"), [(0.0, 1), (0.2, 1), (0.0, 2), (0.2, 2)])
@pytest.mark.parametrize(("trainer", "config", "algorithm", "more"), CASES, ids=["grpo", "rloo"])
def test_losses_of_grpo_and_rloo(tiny_model, tokenizer, tmp_path, trainer, config, algorithm, more, kl_weight, passes):
    model = tiny_model()
    model.save_pretrained(tmp_path / "model")
    found, rounds, prompts, drawing = ours(model, tokenizer, algorithm, kl_weight, passes)
    padding = copy.deepcopy(tokenizer)
    padding.pad_token = "~"  # no text has it
    given = with_texts(trainer, rounds, drawing)
    arguments = config(
        output_dir=str(tmp_path), per_device_train_batch_size=PROMPTS * SAMPLES, num_generations=SAMPLES,
        steps_per_generation=1, num_iterations=passes, beta=kl_weight, epsilon=0.05, temperature=TEMPERATURE,
        shuffle_dataset=False, max_completion_length=6, num_train_epochs=1, optim="adamw_torch",
        learning_rate=SETTINGS.learning_rate, lr_scheduler_type=SETTINGS.schedule,
        warmup_steps=SETTINGS.warmup_ratio, weight_decay=SETTINGS.weight_decay, max_grad_norm=SETTINGS.clip,
        logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True, bf16=False,
        gradient_checkpointing=False, model_init_kwargs={"dtype": "float32"}, **more,
    )  # fmt: skip
    reference = given(
        str(tmp_path / "model"),
        reward_funcs=lambda completions, **_: [len(text) % 8 / 8 for text in completions],
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": one.row["prompt"]} for one in prompts[: 20 // passes * PROMPTS]]),
        processing_class=padding,
    )
    reference.train()
    expected = [entry["loss"] for entry in reference.state.log_history if "loss" in entry]
    assert len(expected) == 20
    assert found == pytest.approx(expected, abs=TOLERANCE)
    for name, weights in reference.model.named_parameters():
        assert torch.allclose(weights, model.get_parameter(name), atol=1e-4), name


def test_advantages_and_returns_of_ppo_are_those_of_the_definition():
    rewards = by.token_rewards(1.5, torch.tensor([-1.0, -2.0, -0.5]), torch.tensor([-1.2, -1.0, -0.5]), 0.1)
    assert rewards.tolist() == pytest.approx([-0.02, 0.1, 1.5])
    values = torch.tensor([0.3, -0.2, 0.7])
    errors = [-0.02 - 0.2 - 0.3, 0.1 + 0.7 + 0.2, 1.5 - 0.7]
    expected = [sum(0.95 ** (later - n) * errors[later] for later in range(n, 3)) for n in range(3)]
    assert by.generalised_advantages(rewards, values).tolist() == pytest.approx(expected)


def test_the_loss_of_ppo_is_clipped_on_both_sides():
    """Written out for three tokens: a ratio within the range, one above with a gain, one below with a loss."""
    logps, old = torch.tensor([-1.0, -0.5, -2.0]), torch.tensor([-1.1, -1.0, -1.5])
    advantages, values = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0.5, 1.0, -0.4])
    old_values, returns = torch.tensor([0.4, 0.5, 0.0]), torch.tensor([1.0, 0.0, -1.0])
    found = by.ppo_loss(logps, old, advantages, values, old_values, returns, clip_range=0.2)
    gains = [math.exp(0.1) * 1.0, 1.2 * 2.0, -1.0 * max(math.exp(-0.5), 0.8)]
    of_values = [0.5**2, 1.0**2, max(0.6**2, 0.8**2)]
    assert found.item() == pytest.approx(-sum(gains) + 0.1 * sum(of_values) / 2)
