"""Scores and texts are those of lm-evaluation-harness: same folder, same rows, shots and wording, item by item.

The harness reads raw rows and words them itself, by the template of our task file; we go from the same file through
fetch_dataset, prepare_items, render_examples, predict and score.
"""

import pytest
from compared_harness import (
    NEOX,
    REAL,
    Compared,
    nursery_datasets,
    nursery_model,
    ours,
    real_datasets,
    save_model,
    theirs,
)
from rouge_score.rouge_scorer import RougeScorer

pytest.importorskip("lm_eval", reason="lm-eval is not installed; it is in requirements-dev.lock")

TOLERANCE = 1e-4  # nats

SAME = ("item", "prompt", "prediction", "is_correct", "is_correct_char", "is_tie", "text", "rouge_l")


@pytest.fixture(
    scope="module",
    params=["nursery", *(pytest.param(name, marks=pytest.mark.real_data) for name in REAL)],
)
def compared(request, tmp_path_factory, tokenizer, tiny_model):
    """Ask both of one model, once for all tests."""
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("compared")
    if request.param == "nursery":
        model, datasets = nursery_model(folder), nursery_datasets(folder / "data")
    else:
        datasets, sizes = real_datasets(*REAL[request.param], folder / "data"), {"max_position_embeddings": 4096}
        if request.param == "vocabulary of GPT-NeoX":
            if not NEOX.is_file():
                pytest.skip(f"there is no {NEOX}; RIPENESS_TEST_DATA names another folder")
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(NEOX), eos_token="<|endoftext|>")
        sizes["vocab_size"] = len(tokenizer)  # of a number that is no token the harness shows nothing
        model = save_model(folder / "model", tiny_model("llama", **sizes), tokenizer)
    return Compared(model, datasets, theirs(model, datasets, folder), ours(model, datasets, folder))


def is_cut_alike(our, their):
    """Tell whether prompt and answer part at the same place.

    They do unless white space at the end of a prompt is a token of its own: the harness takes it for the answer's.
    """
    return our["prompt"] == their["prompt"].rstrip()


def test_prompts_are_word_for_word_those_of_the_harness(compared):
    for kind in ("choice", "generation"):
        for where, our, their in compared.pairs(kind):
            assert our["prompt"] in (their["prompt"].rstrip(" "), their["prompt"]), where
            assert our["n_dropped_shots"] == 0, where


def test_every_option_has_the_log_likelihood_of_the_harness(compared):
    n_alike = 0
    for where, our, their in compared.pairs("choice"):
        expected = [logp for logp, _ in their["answers"]]
        if is_cut_alike(our, their):
            n_alike += 1
            assert our["logps"] == pytest.approx(expected, abs=TOLERANCE), where
        else:  # less that of the white space, which all options follow
            space = expected[0] - our["logps"][0]
            assert space < 0, where
            assert [logp + space for logp in our["logps"]] == pytest.approx(expected, abs=TOLERANCE), where
    assert n_alike > 90


def test_accuracies_are_equal_item_by_item(compared):
    """But where all options are copies of the right one: the harness counts the first alone, and here each is right."""
    copies = set()
    for where, our, their in compared.pairs("choice"):
        found = [our[column] for column in ("is_correct", "is_correct_char", "is_correct_byte")]
        expected = [their[metric] == 1 for metric in ("acc", "acc_norm", "acc_bytes")]
        if not is_cut_alike(our, their):  # what is shared weighs more in a long option
            found, expected = found[:1], expected[:1]
        if our["probe"] == "copies":
            copies.add(tuple(expected))
            expected = [True] * 3
        assert found == expected, where
    assert copies in (set(), {(True,) * 3, (False,) * 3})


def test_ties_are_those_of_the_harness_but_of_options_that_say_the_same(compared):
    for where, our, their in compared.pairs("choice"):
        logps = [logp for logp, _ in their["answers"]]
        has_two_best = logps.count(max(logps)) > 1
        assert has_two_best == (our["probe"] == "copies") and not our["is_tie"], where


def test_greedy_texts_and_their_overlap_are_equal_item_by_item(compared):
    scorer, texts = RougeScorer(["rougeL"], use_stemmer=False), set()
    for where, our, their in compared.pairs("generation"):
        (text,) = their["answers"]
        assert our["text"] == text.strip(), where
        assert our["rouge_l"] == scorer.score(our["target"].strip(), text.strip())["rougeL"].fmeasure, where
        texts.add(our["text"])
    assert len(texts) > 5  # the model does not say the same of everything


def test_neither_batches_nor_the_order_of_items_change_what_is_found(compared, tmp_path):
    others = ours(compared.model, compared.datasets, tmp_path, batch_tokens=700, backwards=True)
    for key, rows in others.items():
        for row, again in zip(rows, compared.ours[key], strict=True):
            assert row["logps"] == pytest.approx(again["logps"], abs=TOLERANCE)
            assert [row[column] for column in SAME] == [again[column] for column in SAME]
