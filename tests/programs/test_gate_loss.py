"""The gate's loss on really trained checkpoints: a wrong conversion is refused with numbers, a right one passes."""

import json
import math
import random
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

import build_corpus
import check_series
import fetch_checkpoint
import pretrain_checkpoint
import pretrain_state
from ripeness.models.gate.loss import PROSE
from ripeness.models.gate.lowest_loss import check_not_too_low
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.study.schema import read_yaml

ROOT = Path(__file__).parents[2]
STEPS = (0, 64, 128)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Pre-train the nursery for some steps: <folder>/step{0,64,128} and heldout.txt."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    design = read_yaml(ROOT / "config.yaml")["series"]["nursery"]["pretrain"]
    recipe = design["source"] | {"n_tokens": 150_000, "n_heldout": 40, "vocabulary_size": 512}
    apart = {"source", "n_tokens", "n_heldout", "vocabulary_size"}
    settings = {"clip": 1.0} | {key: value for key, value in design.items() if key not in apart}
    corpus, state = folder / "corpus", folder / "state.safetensors"
    build_corpus.main(["--recipe", json.dumps(recipe), "--output", str(corpus)])
    common = ["--settings", json.dumps(settings), "--corpus", str(corpus)]
    pretrain_state.main([*common, "--until", "0", "--output", str(state)])
    for step in STEPS:
        place = {"series": "nursery", "checkpoint": f"step{step}", "phase": "stable", "step": step}
        options = ["--state", str(state), "--checkpoint", json.dumps(place), "--output", str(folder / f"step{step}")]
        pretrain_checkpoint.main([*common, *options])
    texts = pl.read_parquet(corpus / "heldout.parquet")["text"]
    (folder / "heldout.txt").write_text("\n".join(texts))
    return folder


def fetch(trained, tmp_path, folder, *options, **facts):
    source = {"series": "mine", "checkpoint": "it", "seed": 0, "path": str(folder)} | facts
    text = options or ("--gate-text", str(trained / "heldout.txt"))
    fetch_checkpoint.main(["--source", json.dumps(source), *text, "--output", str(tmp_path / "out")])
    return read_json(tmp_path / "out/checkpoint.json")


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained / "step128", tmp_path / "converted")


def test_the_loss_falls_from_a_random_start_far_above_guessing(trained):
    gates = [read_json(trained / f"step{step}/checkpoint.json")["gate"] for step in STEPS]
    losses, guessing = [gate["loss"] for gate in gates], gates[0]["guessing"]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > guessing + 5 and losses[2] < guessing / 2
    assert {gate["text"] for gate in gates} == {"held-out documents"}


@pytest.mark.parametrize("step", STEPS)
def test_a_right_checkpoint_passes_and_its_loss_is_recorded(trained, tmp_path, step):
    facts = fetch(trained, tmp_path, trained / f"step{step}")
    own = read_json(trained / f"step{step}/checkpoint.json")["gate"]["loss"]
    assert facts["gate"]["loss"] == pytest.approx(own, abs=0.5)  # the same documents, in one text
    assert facts["gate"]["text"].endswith("heldout.txt") and facts["gate"]["bits_per_byte"] > 0


def refused(trained, tmp_path, folder, *options, **facts):
    with pytest.raises(UserError) as error:
        fetch(trained, tmp_path, folder, *options, **facts)
    assert not (tmp_path / "out").exists()
    message = str(error.value)
    assert message.startswith(f"the checkpoint {folder}: ") and "\nhint: " in message
    return message


def test_a_renamed_tensor_is_refused(trained, tmp_path, copy):
    tensors = load_file(copy / "model.safetensors")
    tensors["model.layers.1.mlp.up.weight"] = tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    assert "model.layers.1.mlp.up_proj.weight" in refused(trained, tmp_path, copy)


def test_swapped_layers_are_refused_with_the_numbers(trained, tmp_path, copy):
    tensors = load_file(copy / "model.safetensors")
    first, second = "model.layers.0.", "model.layers.1."
    places = {name: name.replace(first, "?").replace(second, first).replace("?", second) for name in tensors}
    swapped = {places[name]: tensor for name, tensor in tensors.items()}
    assert swapped.keys() == tensors.keys()
    save_file(swapped, copy / "model.safetensors", metadata={"format": "pt"})
    message = refused(trained, tmp_path, copy)
    assert "with a loss of " in message and "guessing evenly has 5.9" in message and "wrong places" in message


def test_the_tokenizer_of_another_model_with_as_many_words_is_refused(trained, tmp_path, copy):
    description = read_json(copy / "tokenizer.json")
    vocabulary = description["model"]["vocab"]
    special = {token["content"] for token in description["added_tokens"]}
    words = [word for word in vocabulary if word not in special]
    numbers = [vocabulary[word] for word in words]
    random.Random(0).shuffle(numbers)
    description["model"]["vocab"] = vocabulary | dict(zip(words, numbers, strict=True))
    write_json(copy / "tokenizer.json", description)
    assert "the tokenizer of another model" in refused(trained, tmp_path, copy)


def test_a_text_of_another_kind_is_refused_with_the_way_out(trained, tmp_path, copy):
    assert "English prose" in refused(trained, tmp_path, copy, "--gate-text", str(write_english(tmp_path)))
    assert fetch(trained, tmp_path, copy, "--accept-loss")["gate"]["loss"] > 6
    with pytest.raises(UserError, match="has 5 characters"):
        (tmp_path / "short.txt").write_text("short")
        fetch(trained, tmp_path, copy, "--gate-text", str(tmp_path / "short.txt"))


def write_english(tmp_path):
    path = tmp_path / "English prose.txt"
    path.write_text(PROSE)
    return path


def test_after_a_billion_tokens_a_checkpoint_must_beat_guessing(trained, tmp_path):
    # the random start, said to be trained: as good as guessing is not good enough
    flat = shutil.copytree(trained / "step0", tmp_path / "flat")
    tensors = load_file(flat / "model.safetensors")
    tensors = {name: tensor * 0.01 if tensor.ndim == 2 else tensor for name, tensor in tensors.items()}
    save_file(tensors, flat / "model.safetensors", metadata={"format": "pt"})
    assert fetch(trained, tmp_path, flat, tokens=10**6)["gate"]["loss"] == pytest.approx(5.9, abs=0.1)
    shutil.rmtree(tmp_path / "out")
    assert "at most 4.9" in refused(trained, tmp_path, flat, tokens=2 * 10**9)


@pytest.mark.parametrize("step", [64, 128])
def test_trained_weights_under_the_name_of_step_0_are_refused(trained, tmp_path, step):
    text = ("--gate-text", str(trained / "heldout.txt"))
    message = refused(trained, tmp_path, trained / f"step{step}", *text, step=0, tokens=0)
    assert "is described as untrained; guessing evenly has 5.9" in message
    assert "weights of a later step" in message and "resolve_revisions.py --check" in message
    # a run that goes on from a trained model says so
    assert fetch(trained, tmp_path, trained / f"step{step}", *text, "--accept-loss", step=0, tokens=0)["tokens"] == 0


@pytest.mark.parametrize("tokens", [1, 1024])
def test_a_few_tokens_are_no_reason_to_doubt_a_text_that_may_have_been_learned(trained, tmp_path, tokens):
    assert fetch(trained, tmp_path, trained / "step128", tokens=tokens)["gate"]["loss"] < 5


STARTS = [(name, tied, spread) for name in ("llama", "gpt_neox", "gpt2") for tied in (False, True)
          for spread in (0.0, 0.02, 0.15, 1.0)]  # fmt: skip


@pytest.mark.parametrize(("architecture", "is_tied", "spread"), STARTS)
def test_a_random_start_of_any_kind_is_untrained(tmp_path, tiny_model, tokenizer, architecture, is_tied, spread):
    # repetitions, which a random model with tied embeddings likes; prose; a text of few tokens
    texts = ["the the the the " * 60, PROSE, "aaaa bbbb " * 60]
    model = tiny_model(architecture, tie_word_embeddings=is_tied, initializer_range=spread)
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    for number, text in enumerate(texts):
        (tmp_path / "text.txt").write_text(text)
        source = {
            "series": "s",
            "checkpoint": "step0",
            "seed": 0,
            "step": 0,
            "tokens": 0,
            "path": str(tmp_path / "start"),
        }
        options = ["--gate-text", str(tmp_path / "text.txt"), "--output", str(tmp_path / f"out{number}")]
        fetch_checkpoint.main(["--source", json.dumps(source), *options])


def measured(bits, bytes_per_token=4.4):
    return {"loss": bits * bytes_per_token * math.log(2), "guessing": 10.8, "bits_per_byte": bits, "text": "prose"}


@pytest.mark.parametrize(
    ("tokens", "bits", "is_refused"),
    [
        # pythia-2.8b's final weights (some 0.85 bits a byte) as its step 1, 8 and 32
        (2_097_152, 0.85, True), (8 * 2_097_152, 0.85, True), (32 * 2_097_152, 0.85, False),
        # a model learned from 1, 10 and 100 MB may be as good as this
        (200_000, 1.7, False), (2_097_152, 1.35, False), (22_000_000, 0.95, False),
        (200_000, 1.5, True), (0, 1.5, True), (10**12, 0.5, False),
    ],
)  # fmt: skip
def test_after_few_tokens_prose_cannot_be_predicted_well(tmp_path, tokens, bits, is_refused):
    def check(*, is_prose):
        check_not_too_low(tmp_path, tokens, measured(bits), lambda seed: 12.0, is_prose=is_prose)

    if is_refused:
        with pytest.raises(
            UserError, match=r"(no model is below|is described as untrained).*(\n|.)*hint: these are weights"
        ):
            check(is_prose=True)
    else:
        check(is_prose=True)
    if tokens:
        check(is_prose=False)


def test_prose_learned_by_heart_is_refused_as_the_weights_of_an_early_step(tmp_path, tiny_model, tokenizer):
    torch.manual_seed(0)
    model = tiny_model("llama", initializer_range=0.02, hidden_size=64, intermediate_size=96)
    tokens = torch.tensor([tokenizer.eos_token_id, *tokenizer(PROSE)["input_ids"]])
    windows = tokens[:1024].unfold(0, 64, 63)  # as the gate reads them
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        model(input_ids=windows, labels=windows).loss.backward()
        optimizer.step()
    model.save_pretrained(tmp_path / "late")
    tokenizer.save_pretrained(tmp_path / "late")
    options = ["--output", str(tmp_path / "out")]
    for tokens, words in (
        (0, "is described as untrained"),
        (4096, "bits a byte .* after 4.1e\\+03 tokens no model is below 1.6"),
    ):
        source = {
            "series": "s",
            "checkpoint": "a",
            "seed": 0,
            "step": 1,
            "tokens": tokens,
            "path": str(tmp_path / "late"),
        }
        with pytest.raises(UserError, match=words):
            fetch_checkpoint.main(["--source", json.dumps(source), *options])
    fetch_checkpoint.main(["--source", json.dumps(source | {"tokens": 10**9}), *options])


def test_checkpoints_made_here_with_the_same_weights_end_the_study(trained, tmp_path):
    folders = [str(trained / f"step{step}") for step in STEPS]
    output = ["--refuse", "--compare-weights", "--output", str(tmp_path / "gate.json")]
    check_series.main(["--checkpoints", *folders, *output])
    copy = shutil.copytree(trained / "step128", tmp_path / "copy")
    write_json(
        copy / "checkpoint.json", read_json(copy / "checkpoint.json") | {"checkpoint": "step256", "tokens": 10**6}
    )
    with pytest.raises(UserError, match="'same-weights': nursery: step128 and step256 have the same weights"):
        check_series.main(["--checkpoints", *folders, str(copy), *output])


def compare(tmp_path, rows, *options):
    folders = []
    for name, tokens, loss in rows:
        gate = {"loss": loss, "guessing": 10.8, "text": "English prose"}
        write_json(
            tmp_path / name / "checkpoint.json",
            {"series": "s", "checkpoint": name, "step": 1, "tokens": tokens, "gate": gate},
        )
        folders.append(str(tmp_path / name))
    check_series.main(["--checkpoints", *folders, *options, "--output", str(tmp_path / "gate.json")])
    return {row["checkpoint"]: row["remark"] for row in read_json(tmp_path / "gate.json")}


def test_a_spike_is_remarked_and_a_lost_checkpoint_refused(tmp_path):
    # a start that wavers around guessing, learning, noise, a spike of 1.2 nats, recovery
    rows = [
        ("a", 0, 10.9),
        ("b", 1, 10.85),
        ("c", 2, 11.4),
        ("d", 9, 4.0),
        ("e", 10, 4.1),
        ("f", 11, 5.2),
        ("g", 12, 3.6),
    ]
    remarks = compare(tmp_path, rows, "--refuse")
    assert {name for name, remark in remarks.items() if remark} == {"c", "f"}
    assert remarks["f"] == "loss 5.20, d before it had 4.00"
    lost = [*rows, ("h", 13, 7.5)]
    with pytest.raises(
        UserError, match=r"checkpoint h of s has a loss of 7.50 .*g before it had 3.60.*10.80: it has lost 3.90"
    ):
        compare(tmp_path, lost, "--refuse")
    assert compare(tmp_path, lost)["h"]  # a training done here may diverge; that is a result


def test_a_really_mistaken_checkpoint_late_in_a_series_is_refused(trained, tmp_path):
    folders = [str(trained / f"step{step}") for step in STEPS]
    check_series.main(["--checkpoints", *folders, "--refuse", "--output", str(tmp_path / "gate.json")])
    assert [row["remark"] for row in read_json(tmp_path / "gate.json")] == [None] * 3
    wrong = shutil.copytree(trained / "step0", tmp_path / "wrong")
    facts = read_json(wrong / "checkpoint.json") | {"checkpoint": "step256", "tokens": 10**6}
    write_json(wrong / "checkpoint.json", facts)
    with pytest.raises(UserError, match="checkpoint step256 of nursery"):
        check_series.main(["--checkpoints", *folders, str(wrong), "--refuse", "--output", str(tmp_path / "gate.json")])
