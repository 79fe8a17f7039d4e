"""Kinds of tuning that end as weights of the model and have a small state, each with settings that learn something."""

from ripeness.study.methods.reading import read_settings

SHARED = {"epochs": 2, "batch_size": 4, "seed": 1, "schedule": "constant", "warmup_ratio": 0.0, "precision": "fp32"}
LORA = {"kind": "lora", "rank": 4, "alpha": 8, "learning_rate": 1e-2}
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
# before a step the model says what it said, to the bit
EXACT_START = KINDS.keys() - {"dora", "pissa", "olora", "oft", "quantised-dora", "peft-hra"}


ROUNDED = {"quantised", "quantised-dora"}  # the weights, to values at which they start


def settings_of(name, **change):
    return read_settings(SHARED | KINDS[name] | change)


def architecture_of(name):
    """A model that has what the kind trains."""
    return "gpt_neox" if name == "freeze-biases" else "llama"
