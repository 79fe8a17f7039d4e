"""Adapters and their fusion give the losses, step by step, of plain modules in the place of parts: 20 steps, 1e-4.

The library of their authors cannot be installed next to this version of transformers. So each architecture's parts are
named here, replaced by a module that holds the part and its adapter, and trained by a plain loop that reads one text at
a time.
"""

import pytest
import torch
from film_rows import film_rows
from small_kinds import settings_of
from torch.nn.functional import cross_entropy, gelu

from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.methods.adapter import attach
from ripeness.train.loop import batches, rate_at, train

ROWS = film_rows(40)
BLOCKS = {
    "llama": ("model.layers", "self_attn", "mlp"),
    "olmo2": ("model.layers", "self_attn", "mlp"),
    "gpt_neox": ("gpt_neox.layers", "attention", "mlp"),
    "gpt2": ("transformer.h", "attn", "mlp"),
}
NO_CHANCE = {"gpt2": {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}}  # its dropout would be drawn otherwise
TENSORS = ("down.weight", "down.bias", "up.weight", "up.bias")
KINDS = {
    "adapter": {},
    "adapter-feed-forward": {"places": "feed-forward"},
    "adapter-dropped": {"drop": 1},
    "adapter-robust": {"drop": 1, "robust": True},
}


@pytest.fixture
def fresh(tiny_model, architecture):
    return lambda: tiny_model(architecture, **NO_CHANCE.get(architecture, {}))


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


class Adapted(torch.nn.Module):
    """A part of a block with an adapter after it."""

    def __init__(self, part, width, size):
        super().__init__()
        self.part, self.is_on = part, True
        self.reduce, self.enlarge = torch.nn.Linear(width, size), torch.nn.Linear(size, width)
        self.enlarge.weight.data.zero_()
        self.enlarge.bias.data.zero_()

    def forward(self, *args, **kwargs):
        output = self.part(*args, **kwargs)
        first, *rest = output if isinstance(output, tuple) else (output,)
        if self.is_on:
            first = first + self.enlarge(gelu(self.reduce(first)))
        return (first, *rest) if isinstance(output, tuple) else first


class Attending(torch.nn.Module):
    """A part of a block with several adapters after it, and an attention that chooses among them."""

    def __init__(self, part, width, adapters):
        super().__init__()
        self.part, self.adapters = part, adapters  # (reduce, its bias, enlarge, its bias) of each
        for _ in adapters:
            Adapted(None, width, len(adapters[0][0]))  # draws what ours draws before it is loaded
        self.q, self.k = torch.nn.Linear(width, width), torch.nn.Linear(width, width, bias=False)
        self.v = torch.nn.Linear(width, width, bias=False)
        torch.nn.init.normal_(self.q.weight, std=0.02)
        torch.nn.init.normal_(self.k.weight, std=0.02)
        self.q.bias.data.zero_()
        self.v.weight.data = torch.eye(width)

    def forward(self, *args, **kwargs):
        output = self.part(*args, **kwargs)
        h, *rest = output if isinstance(output, tuple) else (output,)
        each = [gelu(h @ down.T + down_bias) @ up.T + up_bias for down, down_bias, up, up_bias in self.adapters]
        weights = torch.softmax(torch.stack([(self.q(h) * self.k(one)).sum(-1) for one in each]), 0)
        h = h + sum(weight[..., None] * self.v(one) for weight, one in zip(weights, each, strict=True))
        return (h, *rest) if isinstance(output, tuple) else h


def replaced(model, architecture, settings):
    """Put adapters into a model in the place of its parts; those of each block."""
    model.requires_grad_(False)
    layers, *parts = BLOCKS[architecture]
    blocks = []
    for number, block in enumerate(model.get_submodule(layers)):
        own = []
        for part in parts[1:] if settings.places == "feed-forward" else parts:
            if settings.robust or number >= (settings.drop or 0):
                own.append(Adapted(getattr(block, part), 32, settings.size))
                setattr(block, part, own[-1])
        blocks.append(own)
    return blocks


def plain_losses(model, examples, settings, before=lambda step: None, penalty=lambda: 0.0):
    """Tune a model by AdamW; give the answers' loss of every step."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer, losses, planned = torch.optim.AdamW(weights, weight_decay=0.0), [], batches(examples, settings)
    for step, batch in enumerate(planned):
        before(step)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_at(step, len(planned), settings)
        found = []
        for example in batch:
            logits = model(input_ids=torch.tensor([example.tokens])).logits[0, :-1]
            found.append(cross_entropy(logits, torch.tensor(example.targets[1:]), reduction="none"))
        loss = torch.cat(found).sum() / sum(target != IGNORED for one in batch for target in one.targets[1:])
        losses.append(loss.item())
        (loss + penalty()).backward()
        torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        optimizer.step()
        optimizer.zero_grad()
    return losses


@pytest.mark.parametrize("architecture", BLOCKS)
@pytest.mark.parametrize("name", KINDS)
def test_twenty_losses_are_those_of_modules_in_place_of_the_parts(fresh, examples, architecture, name):
    settings = settings_of(name, schedule="linear")
    reference, off = fresh(), [0] * 20
    torch.manual_seed(settings.seed)
    blocks = replaced(reference, architecture, settings)
    if settings.robust:
        drawn = attach(fresh(), settings)
        drawn.begin(20)
        off = drawn.n_off
        assert set(off) == {0, 1}

    def switch(step):
        for number, block in enumerate(blocks):
            for adapted in block:
                adapted.is_on = number >= off[step]

    expected = plain_losses(reference, examples, settings, switch)
    losses, status, *_ = train(fresh(), examples, settings, pad=0)
    assert (len(losses), status) == (20, "done")
    assert losses == pytest.approx(expected, abs=1e-4)
    assert losses[-1] < losses[0] - 0.2


@pytest.mark.parametrize("architecture", BLOCKS)
def test_twenty_losses_of_a_fusion_are_those_of_modules_in_place_of_the_parts(fresh, examples, architecture):
    states = [train(fresh(), examples[start::2], settings_of("adapter"), pad=0).state for start in (0, 1)]
    settings, reference = settings_of("fusion", schedule="linear", learning_rate=1e-2), fresh()
    reference.requires_grad_(False)
    layers, *parts = BLOCKS[architecture]
    torch.manual_seed(settings.seed)
    fused = []
    for number, block in enumerate(reference.get_submodule(layers)):
        for part in parts:
            names = [f"{layers}.{number}.{part}.{inner}" for inner in TENSORS]
            fused.append(Attending(getattr(block, part), 32, [[state[name] for name in names] for state in states]))
            setattr(block, part, fused[-1])

    def to_identity():
        return 0.01 * sum((one.v.weight - torch.eye(32)).square().sum() for one in fused)

    expected = plain_losses(reference, examples, settings, penalty=to_identity)
    losses, status, *_ = train(fresh(), examples, settings, pad=0, others=states)
    assert (len(losses), status) == (20, "done")
    assert losses == pytest.approx(expected, abs=1e-4)
    assert losses[-1] < losses[0] - 0.2
