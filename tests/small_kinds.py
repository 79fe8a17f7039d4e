"""Kinds of tuning that have a small state, each with settings that learn something, and what tests ask of them.

KINDS end as weights of the model; BEHIND and BEFORE_TEXT stay attached to it.
"""

import torch
from film_rows import film_rows
from killed import killed_after

from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import train
from ripeness.train.resume import Progress

SHARED = {"epochs": 2, "batch_size": 4, "seed": 1, "schedule": "constant", "warmup_ratio": 0.0, "precision": "fp32"}
LORA = {"kind": "lora", "rank": 4, "alpha": 8, "learning_rate": 1e-2}
# kinds that end as weights of the model
KINDS = {
    "freeze-blocks": {"kind": "freeze", "blocks": 1, "learning_rate": 3e-3},
    "freeze-norms": {"kind": "freeze", "norms": True, "learning_rate": 3e-2},
    "freeze-biases": {"kind": "freeze", "biases": True, "learning_rate": 3e-2},
    "freeze-output": {"kind": "freeze", "output_layer": True, "learning_rate": 1e-2},
    "lora": LORA,
    "dora": LORA | {"variant": "dora"},
    "rslora": LORA | {"variant": "rslora"},
    "pissa": LORA | {"variant": "pissa"},
    "olora": LORA | {"variant": "olora"},
    "quantised": LORA | {"quantised": "nf4"},
    "quantised-dora": LORA | {"quantised": "nf4", "variant": "dora"},
    "adalora": {"kind": "adalora", "rank": 2, "initial_rank": 4, "alpha": 8, "learning_rate": 1e-1},
    "adalora-late": {"kind": "adalora", "rank": 2, "alpha": 8, "learning_rate": 1e-1, "final_steps": 3},
    "ia3": {"kind": "ia3", "learning_rate": 1e-1},
    "oft": {"kind": "oft", "block_size": 8, "learning_rate": 3e-2},
    "peft-hra": {"kind": "peft", "type": "HRA", "options": {"r": 4}, "learning_rate": 3e-2},
    "peft-loha": {"kind": "peft", "type": "LOHA", "options": {"r": 2}, "modules": ["up_proj"], "learning_rate": 3e-2},
}
ADAPTER = {"kind": "adapter", "size": 4, "learning_rate": 3e-2}
BEHIND = {
    "adapter": ADAPTER,
    "adapter-feed-forward": ADAPTER | {"places": "feed-forward"},
    "adapter-dropped": ADAPTER | {"drop": 1},
    "adapter-robust": ADAPTER | {"drop": 1, "robust": True},
    "fusion": {"kind": "fusion", "of": {"method": "adapter", "datasets": ["a", "b"]}, "learning_rate": 3e-3},
}
PREFIX = {"kind": "prefix", "tokens": 4, "learning_rate": 3e-2}
PROMPT = {"kind": "prompt", "tokens": 4, "learning_rate": 1e-1}
BEFORE_TEXT = {
    "prefix": PREFIX,
    "prefix-normal": PREFIX | {"initial": "normal"},
    "prefix-encoder": PREFIX | {"encoder": 8, "learning_rate": 1e-2},
    "prompt": PROMPT,
    "prompt-normal": PROMPT | {"initial": "normal"},
    "p-tuning": PROMPT | {"encoder": 8, "learning_rate": 1e-2},
    "p-tuning-lstm": PROMPT | {"encoder": 8, "encoder_type": "lstm", "learning_rate": 1e-2},
}
# before a step the model says what it said, to the bit
EXACT_START = KINDS.keys() - {"dora", "pissa", "olora", "oft", "quantised-dora", "peft-hra"}


ROWS = film_rows(10)
ROUNDED = {"quantised", "quantised-dora"}  # the weights, to values at which they start


def settings_of(name, **change):
    return read_settings(SHARED | (KINDS | BEHIND | BEFORE_TEXT)[name] | change)


def architecture_of(name):
    """A model that has what the kind trains."""
    return "gpt_neox" if name == "freeze-biases" else "llama"


TOKENS = torch.tensor([[5, 6, 7, 8, 9, 11]])


@torch.no_grad()
def logits(model):
    return model.eval()(TOKENS).logits


def shape_of(model):
    """What a model is made of, and what of it is trained."""
    modules = {name: type(module) for name, module in model.named_modules()}
    hooks = [module for module in model.modules() if module._forward_hooks or module._forward_pre_hooks]
    trained = {name: weight.requires_grad for name, weight in model.named_parameters()}
    return modules, hooks, trained, list(model.state_dict()), sorted(vars(model))


def moved(model, start):
    pairs = zip(model.named_parameters(), start.parameters(), strict=True)
    return {name for (name, weight), before in pairs if not torch.equal(weight, before)}


def same_weights(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def killed(model, examples, settings, path, after, **more):
    """Train with all steps saved, and be killed in one of them."""
    progress = Progress(path, "mine", 0)

    with killed_after(after):
        train(model, examples, settings, pad=0, progress=progress, **more)
    return progress
