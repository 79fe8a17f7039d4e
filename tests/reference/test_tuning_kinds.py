"""Each kind of tuning gives the losses, step by step, of peft's own model in a loop by hand: 20 steps, within 1e-4."""

import copy

import pytest
import torch
from film_rows import film_rows
from peft import (
    AdaLoraConfig,
    HRAConfig,
    IA3Config,
    LoraConfig,
    OFTConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from small_kinds import BEFORE_TEXT, settings_of
from torch.nn.functional import cross_entropy

from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.methods.layer_names import linear_modules
from ripeness.models.methods.nf4 import round_weights
from ripeness.models.methods.register import attach
from ripeness.train.loop import batches, rate_at, train

ROWS = film_rows(40)
LOW_RANK = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
TOTAL = {"init_r": 4, "target_r": 2, "lora_alpha": 8, "tinit": 2, "tfinal": 6, "total_step": 20}
IA3 = {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]}
ROTATED = {"oft_block_size": 8, "r": 0, "use_cayley_neumann": False, "target_modules": "all-linear"}
BEFORE = {"num_virtual_tokens": 4, "task_type": "CAUSAL_LM"}
REFERENCES = {
    "lora": LoraConfig(**LOW_RANK),
    "dora": LoraConfig(**LOW_RANK, use_dora=True),
    "rslora": LoraConfig(**LOW_RANK, use_rslora=True),
    "pissa": LoraConfig(**LOW_RANK, init_lora_weights="pissa"),
    "olora": LoraConfig(**LOW_RANK, init_lora_weights="olora"),
    "quantised": LoraConfig(**LOW_RANK),
    "quantised-dora": LoraConfig(**LOW_RANK, use_dora=True),
    "adalora": AdaLoraConfig(**TOTAL, orth_reg_weight=0.5, target_modules="all-linear", task_type="CAUSAL_LM"),
    "ia3": IA3Config(**IA3, task_type="CAUSAL_LM"),
    "oft": OFTConfig(**ROTATED, task_type="CAUSAL_LM"),
    "peft-hra": HRAConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    "prefix": PrefixTuningConfig(**BEFORE),
    "prefix-normal": PrefixTuningConfig(**BEFORE),
    "prefix-encoder": PrefixTuningConfig(**BEFORE, prefix_projection=True, encoder_hidden_size=8),
    "prompt": PromptTuningConfig(**BEFORE),
    "prompt-normal": PromptTuningConfig(**BEFORE),
    "p-tuning": PromptEncoderConfig(**BEFORE, encoder_hidden_size=8),
    "p-tuning-lstm": PromptEncoderConfig(
        **BEFORE, encoder_hidden_size=8, encoder_num_layers=2, encoder_reparameterization_type="LSTM", encoder_dropout=0
    ),
}
STEPS = {"adalora": {"initial_steps": 2, "final_steps": 6}}
ROUNDED = {"quantised", "quantised-dora"}


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


def answer_loss(model, batch):
    """The mean over all answer tokens of a batch, read one example at a time."""
    losses = []
    for example in batch:
        logits = model(input_ids=torch.tensor([example.tokens])).logits[0, -len(example.tokens) : -1]
        losses.append(cross_entropy(logits, torch.tensor(example.targets[1:]), reduction="none"))
    return torch.cat(losses).sum() / sum(target != IGNORED for one in batch for target in one.targets[1:])


def start_as_ours(reference, model, settings):
    """Have virtual tokens of peft, and what computes them, start as those that are put before a model's texts."""
    torch.manual_seed(settings.seed)
    ours = attach(model, settings).virtual.state_dict()
    net = "transform." if settings.kind == "prefix" else "mlp_head."
    names = {"learned": "embedding.weight", "encoder.lstm.": "lstm_head.", "encoder.head.": net, "encoder.": net}
    place = reference.prompt_encoder["default"]
    found = {}
    for name, tensor in ours.items():
        begin = next(one for one in names if name.startswith(one))
        found[names[begin] + name.removeprefix(begin)] = tensor
    place.load_state_dict(found)


def orthogonality(model):
    """What peft adds to the loss that a model returns itself, taken from there."""
    tokens = torch.tensor([[1, 2, 3]])
    with_term = model(input_ids=tokens, labels=tokens).loss
    logits = model(input_ids=tokens).logits[0, :-1]
    return with_term - cross_entropy(logits, tokens[0, 1:])


def by_peft(model, examples, settings):
    """Tune peft's own model by AdamW; give the answers' loss of every step."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer, losses, planned = torch.optim.AdamW(weights, weight_decay=0.0), [], batches(examples, settings)
    model.train()
    for step, batch in enumerate(planned):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_at(step, len(planned), settings)
        loss = answer_loss(model, batch)
        losses.append(loss.item())
        (loss + (orthogonality(model) if settings.kind == "adalora" else 0)).backward()
        torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        optimizer.step()
        if settings.kind == "adalora":
            model.base_model.update_and_allocate(step + 1)
        optimizer.zero_grad()
    return losses


@pytest.mark.parametrize("name", REFERENCES)
def test_twenty_losses_are_those_of_pefts_own_model(tiny_model, examples, name):
    settings, base = settings_of(name, schedule="linear", **STEPS.get(name, {})), tiny_model("llama")
    if name in ROUNDED:
        round_weights(linear_modules(base).values())
    torch.manual_seed(settings.seed)
    reference = get_peft_model(base, copy.deepcopy(REFERENCES[name]))
    if name in BEFORE_TEXT:
        start_as_ours(reference, tiny_model("llama"), settings)
    expected = by_peft(reference, examples, settings)
    losses, status, *_ = train(tiny_model("llama"), examples, settings, pad=0)
    assert (len(losses), status) == (20, "done")
    assert losses == pytest.approx(expected, abs=1e-4)
    assert losses[-1] < losses[0] - 0.2


def test_a_frozen_model_has_the_losses_of_one_whose_other_weights_are_no_parameters(tiny_model, examples):
    settings, reference = settings_of("freeze-blocks", schedule="linear"), tiny_model("llama")
    for name, weight in reference.named_parameters():
        weight.requires_grad_("layers.1." in name)
    expected = by_peft(reference, examples, settings)
    assert train(tiny_model("llama"), examples, settings, pad=0).losses == pytest.approx(expected, abs=1e-4)
