"""Models are loaded as what they are, and text becomes tokens as lm-evaluation-harness has it."""

import shutil

import pytest
import torch
from model_zoo import tiny_config
from tokenizers import Tokenizer, processors
from transformers import CONFIG_MAPPING, PreTrainedTokenizerFast

from ripeness.models.context_limits import DEFAULT_WINDOW, NO_LIMIT, context_length, reach, text_window
from ripeness.models.forward.likelihood import windows
from ripeness.models.load import load_config, load_model
from ripeness.models.tokens import (
    contexts_of,
    document_start,
    encode,
    encode_pairs,
    end_of_text,
    end_tokens,
    load_tokenizer,
)
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.runtime.made_here import write_mark


def harness_pair(tokenizer, context, continuation):
    """Split a pair as lm_eval.api.model.TemplateLM._encode_pair (0.4.13) does for causal models."""
    n_spaces = len(context) - len(context.rstrip())
    if n_spaces > 0:
        continuation = context[-n_spaces:] + continuation
        context = context[:-n_spaces]
    whole = tokenizer(context + continuation, add_special_tokens=False)["input_ids"]
    context = tokenizer(context, add_special_tokens=False)["input_ids"]
    return context, whole[len(context) :]


@pytest.fixture
def starting(tokenizer):
    """Give the tokenizer of a model whose documents start with a token of their own."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())  # a copy: the other is shared
    copy = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>", bos_token="<s>")
    bos = copy.convert_tokens_to_ids("<s>")
    copy.backend_tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", bos)])
    return copy


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("it is", " good"),
        ("it is ", "good"),
        ("it is", "good"),
        ("see", ""),
        ("", "good"),
        ("a dog é", " ran\nfar away"),
    ],
)
def test_pairs_are_split_as_the_harness_splits_them_where_one_space_ends_a_prompt_or_none(tokenizer, prompt, answer):
    assert encode_pairs(tokenizer, [(prompt, answer)])[0] == harness_pair(tokenizer, prompt, answer)


def test_a_line_end_is_of_the_prompt_and_not_of_the_answer_as_in_the_harness(tokenizer):
    context, answer = encode_pairs(tokenizer, [("it is\n", "good")])[0]
    assert (tokenizer.decode(context), tokenizer.decode(answer)) == ("it is\n", "good")
    theirs = harness_pair(tokenizer, "it is\n", "good")
    assert context + answer == theirs[0] + theirs[1] and theirs[0] == context[:-1]


def test_white_space_before_the_answer_belongs_to_the_answer(tokenizer):
    context, answer = encode_pairs(tokenizer, [("it is ", "good")])[0]
    assert (tokenizer.decode(context), tokenizer.decode(answer)) == ("it is", " good")
    assert encode_pairs(tokenizer, [("it is", " good")])[0] == (context, answer)


def test_an_empty_prompt_is_the_end_of_the_text_before(tokenizer):
    assert contexts_of(tokenizer, [[]])[0] == [end_of_text(tokenizer)]
    assert contexts_of(tokenizer, [[5, 6]])[0] == [5, 6]


def test_a_token_that_starts_documents_stands_before_every_prompt(starting):
    (start,) = document_start(starting)
    assert starting.convert_ids_to_tokens(start) == "<s>"
    assert contexts_of(starting, [[]])[0] == [start]
    assert contexts_of(starting, [[5, 6]])[0] == [start, 5, 6]
    assert start not in encode(starting, ["the film"])[0]


def test_a_start_token_that_the_tokenizer_does_not_write_is_not_written(tokenizer):
    silent = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    assert document_start(silent) == []


def test_a_tokenizer_without_end_of_text_is_refused(tokenizer):
    endless = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(UserError, match=r"no end-of-text token\nhint: "):
        end_of_text(endless)


def test_models_load_in_single_precision_whatever_they_were_saved_in(tmp_path, tiny_model):
    tiny_model("llama").to(torch.bfloat16).save_pretrained(tmp_path)
    assert read_json(tmp_path / "config.json")["dtype"] == "bfloat16"
    model = load_model(tmp_path)
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}
    assert not model.training
    assert context_length(model.config) == 64


@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_a_folder_without_a_model_is_refused_and_not_looked_for_on_the_hub(tmp_path, load):
    with pytest.raises(UserError, match=r"there is no model in .*nowhere\nhint: "):
        load(tmp_path / "nowhere")


def test_a_model_that_sees_later_words_is_refused(tmp_path, tiny_model):
    tiny_model("bert", pad_token_id=0).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"{tmp_path} is not a causal language model"):
        load_model(tmp_path)


def test_a_model_that_diverged_loads(tmp_path, tiny_model):
    model = tiny_model("llama")
    with torch.no_grad():
        model.model.norm.weight.fill_(torch.nan)
    model.save_pretrained(tmp_path)
    load_model(tmp_path)


def test_weights_that_were_cut_off_are_named_with_what_to_do(tmp_path, checkpoint):
    shutil.copytree(checkpoint, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"weights in .*cut cannot be read: .*\nhint: it is damaged; copy or d"):
        load_model(tmp_path / "cut")
    write_mark(tmp_path / "cut")
    with pytest.raises(UserError, match=r"weights in .*cut cannot be read: .*\nhint: delete it; .* folder .*cut\)$"):
        load_model(tmp_path / "cut")
    (tmp_path / "cut" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"weights in .*cut cannot be read: .*\nhint: notes.txt in .*cut was not"):
        load_model(tmp_path / "cut")


def test_generation_ends_at_every_token_that_the_files_name_and_at_no_default_of_a_class(tmp_path):
    write_json(tmp_path / "config.json", {"model_type": "llama"})  # whose class would say 2
    assert end_tokens(tmp_path) == frozenset()
    write_json(
        tmp_path / "config.json", {"model_type": "gemma3", "text_config": {"eos_token_id": 7}, "eos_token_id": None}
    )
    write_json(tmp_path / "generation_config.json", {"eos_token_id": [1, 106]})
    assert end_tokens(tmp_path) == {1, 7, 106}


@pytest.mark.parametrize(
    ("model_type", "expected"),
    [
        ("llama", 128),
        ("gpt2", 128),  # n_positions
        ("gptj", 128),
        ("dbrx", 128),  # max_seq_len
        ("mpt", 128),
        ("rwkv", 128),  # context_length
        ("whisper", 128),  # max_target_positions
        ("roberta", 126),  # positions count from the padding token's number, 1, on
        ("gemma3", 128),  # in its text config
        ("llama4", 128),
        ("mistral3", 128),
        ("qwen2_5_vl", 128),
        *((name, NO_LIMIT) for name in ("bloom", "mamba", "mamba2", "falcon_mamba", "recurrent_gemma", "xlstm")),
    ],
)
def test_how_much_a_model_reads_at_most(tmp_path, model_type, expected):
    tiny_config(model_type).save_pretrained(tmp_path)
    config = load_config(tmp_path)
    assert context_length(config) == expected
    assert text_window(config) == (DEFAULT_WINDOW if expected == NO_LIMIT else expected)


def test_a_number_below_one_is_no_limit():
    assert CONFIG_MAPPING["xlnet"]().max_position_embeddings == -1
    assert context_length(CONFIG_MAPPING["xlnet"]()) == NO_LIMIT


def test_a_text_without_a_limit_is_one_window():
    (request,) = windows(list(range(5000)), 7, NO_LIMIT)
    assert request.context == [7] and len(request.completion) == 5000


@pytest.mark.parametrize("model_type", ["llava", "mistral3", "qwen2_vl", "musicgen"])
def test_a_model_of_several_media_that_is_none_of_text_is_refused(tmp_path, checkpoint, model_type):
    shutil.copytree(checkpoint, tmp_path / "media")
    CONFIG_MAPPING[model_type]().save_pretrained(tmp_path / "media")
    with pytest.raises(UserError, match=r"cannot be loaded: .*\nhint: name a model that predicts the next word"):
        load_model(tmp_path / "media")


def test_a_config_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(UserError, match=r"config.json in .* cannot be read: ValueError: .*\nhint: "):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, float("inf")),
        ({"sliding_window": 24}, 24),
        ({"layer_types": ["full_attention", "chunked_attention"], "attention_chunk_size": 16}, 16),
        ({"layer_types": ["full_attention"], "sliding_window": 24}, float("inf")),
        ({"layer_types": ["full_attention", "indexed_attention"]}, 0),
    ],
)
def test_a_sequence_within_all_windows_is_attended_to_whole(tiny_model, settings, expected):
    model = tiny_model("llama")
    for key, value in settings.items():
        setattr(model.config, key, value)
    assert reach(model) == expected


def test_merges_that_a_tokenizer_leaves_out_at_random_are_made(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    state = read_json(folder / "tokenizer.json")
    text = "the film was long, and the dog ran far away"
    expected = encode(load_tokenizer(folder), [text])[0]
    state["model"]["dropout"] = 0.5
    write_json(folder / "tokenizer.json", state)
    assert {tuple(encode(load_tokenizer(folder), [text])[0]) for _ in range(5)} == {tuple(expected)}
