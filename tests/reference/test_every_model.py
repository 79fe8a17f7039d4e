"""The most used architectures compute what plain transformers computes; all others: tests/every_model.py."""

import pytest
from every_model import judge
from model_zoo import VARIANTS

PACKED = "packed, shared beginnings, narrow"
WINDOWS = f"{PACKED}; beyond the window one by one"
ALONE = "one by one"
USED = {
    ("llama", "longrope"): WINDOWS,
    ("gpt2", "scaled by layer"): "packed, shared beginnings",
    ("gpt_neox", "sequential"): PACKED,
    ("olmo2", ""): PACKED,
    ("olmoe", ""): PACKED,
    ("mistral", ""): WINDOWS,
    ("qwen3", "window"): WINDOWS,
    ("gemma2", ""): ALONE,
    ("gemma3", ""): WINDOWS,  # of several media
    ("gpt_oss", ""): ALONE,
    ("deepseek_v3", ""): PACKED,
    ("bloom", ""): ALONE,
    ("falcon", "alibi"): ALONE,
    ("mpt", ""): ALONE,
    ("opt", "projected"): PACKED,
    ("mamba2", ""): ALONE,
    ("jamba", ""): ALONE,
}


@pytest.mark.parametrize(("model_type", "variant"), USED)
def test_a_model_computes_what_transformers_does(tmp_path, model_type, variant):
    verdict = judge(model_type, model_type, VARIANTS[model_type][variant] if variant else {}, tmp_path)
    assert (verdict.verdict, verdict.how) == ("equal", USED[model_type, variant]), verdict.why


@pytest.mark.parametrize(
    ("model_type", "why"),
    [("bert", "not a causal language model"), ("cpmant", "not a causal"), ("reformer", "cannot read a text by itself")],
)
def test_a_model_that_is_none_is_refused(tmp_path, model_type, why):
    verdict = judge(model_type, model_type, {}, tmp_path)
    assert verdict.verdict == "refused" and why in verdict.why
