"""Parts of a model that are trained alone: which weights these are, and what a model lacks."""

import pytest
from small_kinds import settings_of

from ripeness.models.methods.freeze import attach
from ripeness.runtime.errors import UserError
from ripeness.study.methods.freeze import FreezeSettings

FREEZE = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 1, "seed": 1}


def trained(model, **parts):
    attach(model, FreezeSettings(**FREEZE, **parts))
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def names_of(model, chosen):
    return {name for name, _ in model.named_parameters() if chosen(name)}


@pytest.mark.parametrize(
    ("architecture", "parts", "chosen"),
    [
        ("llama", {"blocks": 1}, lambda name: "layers.1." in name),
        ("llama", {"blocks": 2}, lambda name: "layers." in name),
        ("gpt2", {"blocks": 1}, lambda name: "h.1." in name),
        ("llama", {"norms": True}, lambda name: "norm" in name),
        ("gpt2", {"norms": True}, lambda name: ".ln_" in name),
        ("gpt_neox", {"biases": True}, lambda name: name.endswith("bias")),
        ("qwen2", {"biases": True}, lambda name: name.endswith(("q_proj.bias", "k_proj.bias", "v_proj.bias"))),
        ("llama", {"output_layer": True}, lambda name: "lm_head" in name),
        ("gpt_neox", {"norms": True, "biases": True}, lambda name: "norm" in name or name.endswith("bias")),
        ("llama", {"blocks": 1, "norms": True}, lambda name: "layers.1." in name or "norm" in name),
        ("llama", {"blocks": 1, "norms": False}, lambda name: "layers.1." in name),
    ],
)
def test_the_parts_that_are_named_are_trained_and_no_other(tiny_model, architecture, parts, chosen):
    model = tiny_model(architecture)
    assert trained(model, **parts) == names_of(model, chosen)


@pytest.mark.parametrize(
    ("architecture", "sizes", "parts", "message"),
    [
        ("llama", {}, {"blocks": 3}, "blocks: 3 is more than the 2 blocks of the model\nhint: at most blocks: 2"),
        ("llama", {}, {"biases": True}, "biases: the model has no biases with weights\nhint: "),
        ("llama", {"tie_word_embeddings": True}, {"output_layer": True}, "output layer are those of its embeddings"),
        ("olmo", {}, {"norms": True}, "norms: the model has no norms with weights\nhint: "),
    ],
)
def test_a_part_that_a_model_lacks_is_refused_with_a_hint(tiny_model, architecture, sizes, parts, message):
    with pytest.raises(UserError, match=message):
        trained(tiny_model(architecture, **sizes), **parts)


def test_the_state_is_refused_by_a_model_of_other_parts(tiny_model):
    state = attach(tiny_model("llama"), settings_of("freeze-blocks")).state()
    with pytest.raises(KeyError, match="is not in both"):
        attach(tiny_model("llama"), settings_of("freeze-norms")).load(state)
