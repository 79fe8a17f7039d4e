"""How many tokens are read at once follows from the model and the device."""

import pytest
import torch
from transformers import AutoModelForCausalLM, GPTNeoXConfig, OlmoConfig

from ripeness.models.row_tokens import row_tokens, tokens_that_fit

GIB = 2**30


@pytest.fixture(scope="module")
def shapes():
    """Models of published shapes, without numbers in their weights."""
    configs = {
        "pythia-70m": GPTNeoXConfig(
            hidden_size=512, num_hidden_layers=6, num_attention_heads=8, intermediate_size=2048, vocab_size=50304
        ),
        "olmo-1b": OlmoConfig(
            hidden_size=2048, num_hidden_layers=16, num_attention_heads=16, intermediate_size=8192, vocab_size=50304
        ),
    }
    with torch.device("meta"):
        return {name: AutoModelForCausalLM.from_config(config) for name, config in configs.items()}


def test_a_cpu_reads_short_rows(tiny_model):
    assert row_tokens(tiny_model("llama"), is_trained=True) == 2048
    assert row_tokens(tiny_model("llama"), is_trained=False) == 4096


@pytest.mark.parametrize(
    ("name", "memory", "trained"),
    [("pythia-70m", 40, 16384), ("olmo-1b", 80, 16384), ("olmo-1b", 40, 4096), ("olmo-1b", 24, 2048)],
)
def test_a_gpu_reads_as_many_as_fit(shapes, name, memory, trained):
    assert tokens_that_fit(shapes[name], memory * GIB, is_trained=True) == trained
    assert tokens_that_fit(shapes[name], memory * GIB, is_trained=False) >= trained
