"""Adapters whose ranks fall: the term of the loss, the budget, what is kept between steps, and too few steps."""

from dataclasses import replace

import pytest
import torch
from peft import AdaLoraConfig, get_peft_model
from small_kinds import settings_of

from ripeness.models.batching import encode_examples
from ripeness.models.methods.adalora import attach
from ripeness.runtime.errors import UserError
from ripeness.train.loop import train

TOKENS = torch.tensor([[5, 6, 7, 8]])
ROWS = [(f"row{n}", "the film was " + "far " * (n % 4) + "long\nit is", [" good", " bad"][n % 2]) for n in range(20)]


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


def attached(model, **change):
    torch.manual_seed(1)
    return attach(model, settings_of("adalora", **change))


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_the_penalty_is_what_peft_adds_to_the_loss_of_a_model(tiny_model, weight):
    adapters = attached(tiny_model("llama"), orthogonality=weight)
    sizes = {"init_r": 4, "target_r": 2, "lora_alpha": 8, "total_step": 10, "tinit": 1, "tfinal": 3}
    base = tiny_model("llama")
    torch.manual_seed(1)
    config = AdaLoraConfig(target_modules="all-linear", orth_reg_weight=weight, task_type="CAUSAL_LM", **sizes)
    reference = get_peft_model(base, config)
    with torch.no_grad():
        for (_, ours), theirs in zip(
            [one for one in adapters.model.named_parameters() if "lora_" in one[0]],
            [one for name, one in reference.named_parameters() if "lora_" in name],
            strict=True,
        ):
            theirs.copy_(ours.normal_(std=0.3))
    out = reference(TOKENS, labels=TOKENS)
    plain = adapters.model(TOKENS, labels=TOKENS).loss
    assert adapters.penalty().item() == pytest.approx((out.loss - plain).item(), rel=1e-4)
    assert adapters.penalty().requires_grad
    assert attached(tiny_model("llama"), orthogonality=0).penalty() is None


def test_the_term_keeps_the_matrices_near_to_orthogonal_ones(tiny_model, examples):
    far = {}
    for weight in (0, 0.5):
        model, settings = tiny_model("llama"), settings_of("adalora", orthogonality=weight, epochs=6)
        state = train(model, examples, settings, pad=0).state
        matrices = [
            w if ".lora_A." in name else w.T for name, w in state.items() if "lora_A" in name or "lora_B" in name
        ]
        far[weight] = sum(torch.linalg.norm(w @ w.T - torch.eye(len(w))).item() for w in matrices)
    assert far[0.5] < far[0] / 2


def test_ranks_fall_to_those_that_are_wanted_on_average_and_stay(tiny_model, examples, monkeypatch):
    from ripeness.models.methods.adalora import AdaptiveRanks

    ranks, after_step = [], AdaptiveRanks.after_step

    def counted(self, step):
        after_step(self, step)
        ranks.append(sum(int((self.factors[name] != 0).sum()) for name in self.values))

    monkeypatch.setattr(AdaptiveRanks, "after_step", counted)
    settings = settings_of("adalora", initial_steps=2, final_steps=3)
    outcome = train(tiny_model("llama"), examples, settings, pad=0)
    n_layers = 2 * 7
    assert len(outcome.losses) == len(ranks) == 10
    assert ranks[1] == 4 * n_layers  # before they fall
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[6:] == [2 * n_layers] * 4
    values = [tensor for name, tensor in outcome.state.items() if ".lora_E." in name]
    assert sum(int((value != 0).sum()) for value in values) == 2 * n_layers
    assert len({int((value != 0).sum()) for value in values}) > 1  # some layers have more than others
    assert not any("allocation" in name for name in outcome.state)


@pytest.mark.parametrize("change", [{"initial_steps": 2, "final_steps": 8}, {"final_steps": 100}])
def test_steps_that_leave_none_to_allocate_ranks_in_are_refused_before_the_first(tiny_model, examples, change):
    with pytest.raises(
        UserError, match=r"10 steps leave none to allocate ranks in, after \d first .*\nhint: more epochs"
    ):
        train(tiny_model("llama"), examples, settings_of("adalora", **change), pad=0)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_steps_are_enough_where_nothing_is_said_of_them(tiny_model, examples, steps):
    outcome = train(tiny_model("llama"), examples, replace(settings_of("adalora"), steps=steps), pad=0)
    assert (len(outcome.losses), outcome.status) == (steps, "done")


def test_an_expert_that_no_token_asked_has_no_importance(tiny_model, examples):
    model = tiny_model("mixtral", num_local_experts=8, num_experts_per_tok=1)
    assert train(model, examples, settings_of("adalora"), pad=0).status == "done"
