"""Models are loaded as what they are, and text becomes tokens as lm-evaluation-harness has it."""

import shutil

import pytest
import torch
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from ripeness.errors import UserError
from ripeness.files import read_json, write_json
from ripeness.models import (
    context_length,
    contexts_of,
    document_start,
    encode,
    encode_pairs,
    end_of_text,
    end_tokens,
    load_model,
    load_tokenizer,
)


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
    with pytest.raises(UserError, match=f"{tmp_path} is no causal language model"):
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
    with pytest.raises(UserError, match=r"weights in .*cut cannot be read: .*\nhint: delete the folder"):
        load_model(tmp_path / "cut")


def test_generation_ends_at_every_token_that_the_files_name_and_at_no_default_of_a_class(tmp_path):
    write_json(tmp_path / "config.json", {"model_type": "llama"})  # whose class would say 2
    assert end_tokens(tmp_path) == frozenset()
    write_json(
        tmp_path / "config.json", {"model_type": "gemma3", "text_config": {"eos_token_id": 7}, "eos_token_id": None}
    )
    write_json(tmp_path / "generation_config.json", {"eos_token_id": [1, 106]})
    assert end_tokens(tmp_path) == {1, 7, 106}
