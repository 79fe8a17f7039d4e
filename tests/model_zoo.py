"""Tiny random models of every causal language model that transformers knows: configs shrunk by the names of sizes."""

import re
from contextlib import suppress
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

N_LAYERS, WIDTH, N_HEADS, VOCABULARY, POSITIONS, WINDOW = 4, 32, 4, 288, 128, 24
NO_TOKEN = 287  # for special tokens of images, padding and the like: none of the tokenizer's

# The first that the name of a size matches wholly says how large it is; None leaves it as it is.
SIZES: list[tuple[str, int | float | None]] = [
    (r".*_token_(id|index)|.*_token_id_\w+|.*_idx", NO_TOKEN),
    (r".*(dropout|pdrop|drop_rate|layerdrop|jitter\w*|jitter_noise)(_prob|_p|_rate)?|dropout_\w+", 0.0),
    (r"index_topk|indexer_budget", 16),
    (r"vocab_size(_per_layer_input)?|text_vocab_size|n_vocab|\w*_vocab_size|n_words", VOCABULARY),
    (r"(num_|n_)?(\w*hidden_)?layers?|(num_|n_)\w*layers|(en|de)coder_layers|depth|n_layers?|\w*_num_layers", N_LAYERS),
    (r"(num_|n_)?(key_value_heads?|kv_heads?|head_kv)|\w*num_key_value_heads", N_HEADS // 2),
    (r"num_v_heads|linear_num_value_heads", N_HEADS),
    (r"linear_num_key_heads", N_HEADS // 2),
    (r"(num_|n_)\w*heads?|(en|de)coder_attention_heads|heads|\w*num_attention_heads|\w*num_heads", N_HEADS),
    (r"head_dim|\w*_head_dim|kv_channels|d_kv|\w*head_size|d_head|\w*headdim|rotary_dim", WIDTH // N_HEADS),
    (r"\w*(max_position_embeddings|n_positions|max_seq_len|n_ctx|max_\w*_positions|max_sequence_length)", POSITIONS),
    (r"context_length|seq_length|max_seq_length", POSITIONS),
    (r"\w*sliding_window(_size)?|attention_window(_size)?|window_size|local_attention|\w*local_window", WINDOW),
    (r"\w*chunk_size(_feed_forward)?|attention_chunk_size|block_size", 16),
    (r"(num|n)_\w*experts?_per_\w+|(moe_)?top_?k|\w*_topk|\w*topk_experts|moe_k|topk", 2),
    (r"n_group|topk_group|num_expert_groups?|moe_num_groups", None),
    (r"(num|n)_shared_experts?|\w*num_shared_experts", 1),
    (r"\w*num_\w*experts|n_\w*experts|num_local_experts|\w*n_routed_experts|moe_num_experts", 4),
    (r"\w*(intermediate_size|ffn_dim|ffn_hidden_size|n_inner|dim_ff|d_ff|ff_dim|d_inner|hidden_dim)\w*", 48),
    (r"\w*lora_rank|\w*_rank|\w*lora\w*_dim", 16),
    (r"state_size|ssm_state_size|mamba_d_state|d_state|state_dim", 8),
    (r"d_conv|conv_kernel|mamba_d_conv|conv_kernel_size|linear_conv_kernel_dim|expand|mamba_expand", None),
    (r"\w*(hidden_size|d_model|n_embd|emb_dim|embedding_size|embed_dim|embd|dim|width|model_dim)", WIDTH),
    (r"image_size", 16),
    (r"patch_size", 8),
]
# What a rule by names cannot know: what has to fit together.
LINEAR_HEADS = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8}
PERIODS = {"attn_layer_period": 2, "attn_layer_offset": 1}
MOE = {"num_experts_per_tok": 2, "n_routed_experts": 4, "n_shared_experts": 1, "moe_intermediate_size": 24}
HYBRID = ["linear_attention", "hybrid", "linear_attention", "hybrid"]
WIDER = {"per_layer_config": {"1": {"head_dim": 16}, "3": {"head_dim": 16}}}
OVERRIDES: dict[str, dict[str, Any]] = {
    "bamba": {**LINEAR_HEADS, "attn_layer_indices": [1, 3]},
    "beam": {"num_experts": 8, "n_group": 2, "topk_group": 1},
    "blt": {
        "encoder_hash_byte_group_vocab": 64, "encoder_config": {"hidden_size_global": WIDTH},
        "decoder_config": {"hidden_size_global": WIDTH},
    },
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}, "full_attention": None
        },
    },
    "deepseek_v2": MOE | {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 1},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
        "ffn_config": {"moe_top_k": 2, "hidden_size": WIDTH},
    },
    "dots1": MOE | {"first_k_dense_replace": 1},
    "dots3_note_text": {"head_dim": 16, "per_layer_config": {"1": {"kv_lora_rank": 24}, "3": {"kv_lora_rank": 24}}},
    "falcon": {"num_kv_heads": N_HEADS},
    "falcon_h1": LINEAR_HEADS | {"mamba_d_ssm": 64},
    "gemma3n_text": {
        "num_kv_shared_layers": 2, "activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0],
        "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCABULARY,
    },
    "gemma4_assistant": {"text_config": {"hidden_size_per_layer_input": 0}},
    "gemma4_text": WIDER | {"hidden_size_per_layer_input": 8},
    "gemma4_unified_text": WIDER | {"hidden_size_per_layer_input": 8},
    "granitemoehybrid": LINEAR_HEADS | {"layer_types": ["linear_attention", "full_attention"] * 2},
    "hrm_text": {"H_cycles": 2, "L_cycles": 2, "num_layers_per_stack": 2},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "jamba": PERIODS | {"mamba_dt_rank": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "longcat_flash": {"qk_rope_head_dim": 8, "qk_head_dim": 16, "head_dim": 8, "zero_expert_num": 2, "num_layers": 2},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2, "time_step_rank": 8},
    "ministral": {"head_dim": 8},
    "mpt": {"attn_config": {"attn_pdrop": 0}},
    "nemotron": {"num_key_value_heads": 2},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 8, "n_groups": 2},
    "qwen4_exp_text": {
        "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 16,
        "indexer_compress_ratio": 4, "hc_lowrank": 8, "ple_embed_dim": 32, "ngram_vocab_size_base": 64,
        "make_ngram_vocab_size_divisible_by": 8, "split_ngram_parts": 2,
    },
    "reformer": {"axial_pos_shape": [8, 16], "axial_pos_embds_dim": [8, 24], "is_decoder": True},
    "xmod": {"default_language": "en_XX"},
    "zamba": PERIODS | {"attention_hidden_size": 64, "attention_head_dim": 16, "mamba_dt_rank": 8}
    | {"layers_block_type": HYBRID},
    "zamba2": {
        "layers_block_type": HYBRID, "hybrid_layer_ids": [1, 3], "attention_hidden_size": 64, "attention_head_dim": 16,
        "n_mamba_heads": 8, "mamba_headdim": 8, "num_key_value_heads": 4, "kv_channels": 8, "num_query_groups": 4,
    },
}  # fmt: skip


# More of one class: what changes how texts are read.
def rotation(kind: str, **values: Any) -> dict[str, Any]:
    """A config whose positions are rotated otherwise."""
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **values}}


BEFORE = {"original_max_position_embeddings": 32}
LONG_ROTATION = rotation("longrope", short_factor=[1.0] * 4, long_factor=[3.0] * 4, **BEFORE) | BEFORE
YARN = rotation("yarn", factor=4.0, beta_fast=4.0, beta_slow=1.0, **BEFORE)
LLAMA3 = rotation("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, **BEFORE)
DECODER = {"decoder": {"is_decoder": True}}
MULTIPLIERS = {
    "embedding_multiplier": 12.0, "logits_scaling": 8.0, "residual_multiplier": 0.22, "attention_multiplier": 0.1
}  # fmt: skip
SLIDING = {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 2, "layer_types": None}
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "codegen": {"half rotated": {"rotary_dim": 4}},
    "cohere": {"normed queries": {"use_qk_norm": True}},
    "deepseek_v2": {"whole queries": {"q_lora_rank": None}, "yarn": YARN},
    "deepseek_v3": {"whole queries": {"q_lora_rank": None}, "yarn": YARN},
    "falcon": {
        "new decoder": {"new_decoder_architecture": True, "num_kv_heads": 2},
        "alibi": {"alibi": True, "multi_query": False},
        "many heads": {"multi_query": False}, "sequential": {"parallel_attn": False, "bias": True},
    },
    "gemma2": {"no caps": {"attn_logit_softcapping": None, "final_logit_softcapping": None}},
    "gpt2": {
        "scaled by layer": {"scale_attn_by_inverse_layer_idx": True}, "upcast": {"reorder_and_upcast_attn": True}
    },
    "gpt_bigcode": {"many heads": {"multi_query": False}},
    "gpt_neox": {
        "sequential": {"use_parallel_residual": False},
        "dynamic": rotation("dynamic", factor=2.0, partial_rotary_factor=1.0, **BEFORE),
    },
    "gptj": {"half rotated": {"rotary_dim": 4}},
    "granite": {"multipliers": MULTIPLIERS},
    "granitemoehybrid": {"rotated": {"position_embedding_type": "rope"}, "multipliers": MULTIPLIERS},
    "llama": {
        "dynamic": rotation("dynamic", factor=2.0, **BEFORE), "linear": rotation("linear", factor=4.0), "yarn": YARN,
        "llama3": LLAMA3, "longrope": LONG_ROTATION, "biases": {"attention_bias": True, "mlp_bias": True},
        "a head for each": {"num_key_value_heads": N_HEADS}, "one head": {"num_key_value_heads": 1},
    },
    "llama4_text": {"scaled by position": {"attn_temperature_tuning": True, "floor_scale": 16, "attn_scale": 0.5}},
    "mistral": {"no window": {"sliding_window": None}},
    "mpt": {
        "no alibi": {"attn_config": {"attn_pdrop": 0, "alibi": False}},
        "clipped": {"attn_config": {"attn_pdrop": 0, "clip_qkv": 1.0}},
    },
    "olmo": {"clipped": {"clip_qkv": 1.0}},
    "olmo3": {"yarn": YARN | {"layer_types": ["full_attention"] * 4}},
    "opt": {"projected": {"word_embed_proj_dim": 16}, "norm after": {"do_layer_norm_before": False}},
    "phi": {"normed queries": {"qk_layernorm": True}},
    "phi3": {"window": {"sliding_window": WINDOW}, "longrope": LONG_ROTATION},
    "phimoe": {"longrope": LONG_ROTATION | {"rope_parameters": LONG_ROTATION["rope_parameters"] | {
        "short_mscale": 1.2, "long_mscale": 1.3}}},
    "qwen2": {"window": SLIDING},
    "qwen3": {"window": SLIDING},
    "qwen3_moe": {"every other dense": {"decoder_sparse_step": 2}},
    "smollm3": {"window": SLIDING},
    "stablelm": {"parallel": {"use_parallel_residual": True}, "normed queries": {"qk_layernorm": True}},
    "xlm": {"causal": {"causal": True}},
    **dict.fromkeys(
        ("bert", "bert-generation", "camembert", "data2vec-text", "electra", "ernie", "megatron-bert", "rembert",
         "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "xlm-roberta", "xlm-roberta-xl", "xmod",
         "prophetnet"),
        DECODER,
    ),
    "big_bird": {"decoder": {"is_decoder": True, "attention_type": "original_full"}},
}  # fmt: skip


def shrunk(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a config, nested ones too, with small sizes."""
    n_layers = next((values[key] for key in LAYER_KEYS if isinstance(values.get(key), int)), None)
    result = {key: small(key, value, n_layers) for key, value in values.items()}
    if "kv_lora_rank" in values and "num_key_value_heads" in values:  # latent attention has a key for every query
        result["num_key_value_heads"] = N_HEADS
    group = next((key for key in ("n_group", "num_expert_group") if (values.get(key) or 1) > 1), None)
    if group:  # experts are chosen among those of the best groups
        result |= {group: 2, "topk_group": 1} | {
            key: 8 for key in values if re.fullmatch(r"(num|n_routed)_experts|num_local_experts", key)
        }
    result.pop("per_layer_config", None)
    fixed = OVERRIDES.get(values.get("model_type") or "", {})
    result = merged(result, fixed)
    result |= {key: special for key, special in SPECIAL.items() if values.get(key) is not None}
    return result


SPECIAL = {"eos_token_id": 0, "pad_token_id": 1, "bos_token_id": 2}
LAYER_KEYS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")


def small(key: str, value: Any, n_layers: int | None) -> Any:
    """A value of a config made small, by its name."""
    if isinstance(value, dict):
        return value if "rope" in key else shrunk(value)
    if isinstance(value, list | tuple) and len(value) == n_layers and n_layers:
        kinds = list(dict.fromkeys(value))
        several = (kinds * N_LAYERS)[:N_LAYERS] if len(kinds) > 1 else list(value[:1]) * N_LAYERS
        return [small(key, one, None) for one in several]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    for pattern, size in SIZES:
        if re.fullmatch(pattern, key):
            return value if size is None else min(value, size) if size else size
    return value


def tiny_config(model_type: str, **changes: Any) -> PreTrainedConfig:
    """The config of a class at tiny size."""
    kind = CONFIG_MAPPING[model_type]
    values = kind().to_dict()
    fixed = shrunk(values | {"model_type": model_type})
    for key in ("transformers_version", "model_type", "architectures", "dtype", "torch_dtype"):
        fixed.pop(key, None)
    return kind(**merged(fixed, changes))


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Values with changes, nested ones one by one; "text." changes the text config where there is one."""
    result = dict(values)
    for key, value in changes.items():
        nested = isinstance(value, dict) and isinstance(result.get(key), dict) and "rope" not in key
        result[key] = merged(result[key], value) if nested else value
    return result


@torch.no_grad()
def tiny_model(model_type: str, *, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A random model that is sure of what it says, so that a leak or a shift shows in its numbers."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(tiny_config(model_type, **changes), dtype=torch.float32).eval()
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.copy_(torch.randn_like(weight) * 1.5 / weight.shape[-1] ** 0.5)
        else:
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def settings_of(model_type: str) -> dict[str, dict[str, Any]]:
    """What is tried of a class: as it is by default, its variants, and its embeddings tied or not the other way."""
    found = {"": {}} | VARIANTS.get(model_type, {})
    with suppress(Exception):  # of a class without a config by default
        found["tied" if not tiny_config(model_type).tie_word_embeddings else "untied"] = {
            "tie_word_embeddings": not tiny_config(model_type).tie_word_embeddings, "use_cache": False
        }  # fmt: skip
    return found
