"""What is done against forgetting while a model is tuned: the formula of its source, and resumable to the bit."""

import ast
from dataclasses import replace
from pathlib import Path

import model_zoo
import numpy as np
import pytest
import torch
from film_rows import film_rows
from killed import killed_after
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy

from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.methods.layer_names import linear_modules
from ripeness.models.methods.lora import attach
from ripeness.runtime.errors import UserError
from ripeness.study.methods.full import FullSettings
from ripeness.study.methods.lora import LoraSettings
from ripeness.train.loop import batches, train
from ripeness.train.modifiers.l2sp import clip_gradient, starting_point
from ripeness.train.modifiers.replay import PIECE_TOKENS, Replay, open_replay
from ripeness.train.resume import Progress

SCRIPTS = Path(__file__).parents[3] / "scripts"
SHARED = {"epochs": 2, "batch_size": 4, "seed": 1, "schedule": "constant", "warmup_ratio": 0.0, "precision": "fp32"}
SETTINGS = FullSettings(learning_rate=3e-3, **SHARED)
LORA = LoraSettings(learning_rate=1e-2, rank=4, alpha=8.0, **SHARED)
ROWS = film_rows(10)


@pytest.fixture(scope="module")
def examples(tokenizer):
    return encode_examples(ROWS, tokenizer, max_length=64)


def pieces(share, n_pieces=7, seed=1):
    """Give pieces of 9 tokens each, the first of which is their number."""
    return Replay(share, seed, n_pieces, "digest", lambda number: [number, *range(20, 28)])


def answer_loss(model, batch):
    """Loss of a batch read one example at a time: the mean over all tokens that are learned."""
    losses = [
        cross_entropy(model(torch.tensor([tokens])).logits[0, :-1], torch.tensor(targets[1:]), reduction="none")
        for tokens, targets in batch
    ]
    return torch.cat(losses).sum() / sum(target != IGNORED for _, targets in batch for target in targets)


def by_hand(model, examples, settings, *, penalty=lambda: 0.0, replay=None):
    """Train by autograd of the whole loss as it is written down; give the answers' loss of every step."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer, losses, n_read = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0), [], 0
    model.train()
    for batch in batches(examples, settings):
        loss = answer_loss(model, [(example.tokens, example.targets) for example in batch])
        losses.append(loss.item())
        if replay and (texts := replay.pieces_for(n_read, n_read + len(batch))):
            text_loss = answer_loss(model, [(tokens, [IGNORED, *tokens[1:]]) for tokens in texts])
            loss = (len(batch) * loss + len(texts) * text_loss) / (len(batch) + len(texts))
        n_read += len(batch)
        optimizer.zero_grad()
        (loss + penalty()).backward()
        torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        optimizer.step()
    return losses


def assert_same_answers(model, other, examples):
    tokens = torch.tensor([examples[1].tokens])
    assert torch.allclose(model(tokens).logits, other(tokens).logits, atol=1e-3)


def test_the_pull_is_the_gradient_of_half_the_squared_distance_and_the_norm_that_of_the_examples(tiny_model):
    model, settings = tiny_model("llama"), replace(SETTINGS, pull=0.3, clip=1e9)
    start = starting_point(model, settings)
    weights = list(model.parameters())
    with torch.no_grad():
        for weight in weights:
            weight.add_(0.1 * torch.randn_like(weight))
    tokens = torch.tensor([[5, 6, 7, 8]])
    penalty = 0.3 / 2 * sum((w - w0).square().sum() for w, w0 in zip(weights, start, strict=True))
    loss = model(tokens, labels=tokens).loss
    expected = torch.autograd.grad(loss + penalty, weights, retain_graph=True)
    loss.backward()
    of_examples = torch.nn.utils.get_total_norm([weight.grad for weight in weights])
    assert clip_gradient(weights, start, settings) == of_examples
    for weight, gradient in zip(weights, expected, strict=True):
        assert torch.allclose(weight.grad, gradient, atol=1e-6)
    assert starting_point(model, SETTINGS) == []


def test_a_pulled_training_is_that_of_the_loss_with_the_penalty_and_ends_nearer_to_its_start(tiny_model, examples):
    settings, reference = replace(SETTINGS, pull=0.5), tiny_model("llama")
    start = [weight.detach().clone() for weight in reference.parameters()]

    def penalty():
        return 0.25 * sum((w - w0).square().sum() for w, w0 in zip(reference.parameters(), start, strict=True))

    expected = by_hand(reference, examples, settings, penalty=penalty)
    model, free = tiny_model("llama"), tiny_model("llama")
    losses, status, *_ = train(model, examples, settings, pad=0)
    train(free, examples, SETTINGS, pad=0)
    assert status == "done"
    assert losses == pytest.approx(expected, abs=1e-4)
    assert_same_answers(model, reference, examples)
    near, far = (
        sum((w - w0).square().sum() for w, w0 in zip(m.parameters(), start, strict=True)) for m in (model, free)
    )
    assert near < 0.95 * far


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.8])
def test_the_share_of_sequences_that_are_text_is_kept_over_a_training(share):
    replay = pieces(share)
    found = [len(replay.pieces_for(n, n + 4)) for n in range(0, 4000, 4)]
    assert sum(found) / (4000 + sum(found)) == pytest.approx(share, abs=1e-3)
    assert max(found) - min(found) <= 1  # evenly spread


def test_every_piece_comes_once_before_any_comes_again_in_an_order_of_the_seed():
    numbers = [tokens[0] for tokens in pieces(0.5).pieces_for(0, 21)]
    turns = [numbers[start : start + 7] for start in (0, 7, 14)]
    assert all(sorted(turn) == list(range(7)) for turn in turns)
    assert turns[0] != turns[1] != turns[2]
    assert numbers[5:9] == [tokens[0] for tokens in pieces(0.5).pieces_for(5, 9)]  # wherever a training goes on
    assert numbers != [tokens[0] for tokens in pieces(0.5, seed=2).pieces_for(0, 21)]


def test_pieces_of_a_corpus_are_its_windows(tmp_path, tokenizer):
    np.save(tmp_path / "train.npy", np.arange(2000, dtype=np.uint16))
    replay = open_replay(tmp_path / "train.npy", tokenizer, share=0.5, seed=1, window=64)
    drawn = sorted(replay.pieces_for(0, replay.n_pieces))
    assert drawn == [list(range(64 * n, 64 * n + 64)) for n in range(2000 // 64)]
    longest = open_replay(tmp_path / "train.npy", tokenizer, share=0.5, seed=1, window=4096)
    assert {len(tokens) for tokens in longest.pieces_for(0, 3)} == {PIECE_TOKENS}
    np.save(tmp_path / "other.npy", np.arange(1, 2001, dtype=np.uint16))
    other = open_replay(tmp_path / "other.npy", tokenizer, share=0.5, seed=1, window=64)
    assert repr(replay) != repr(other)  # so a training does not go on from the state of another text


def test_pieces_of_a_text_file_are_its_documents_after_the_token_between_documents(tmp_path, tokenizer):
    lines = [f"the dog ran far away and sat on mat {number}\n" for number in range(300)]
    (tmp_path / "text.txt").write_text("".join(lines))
    replay = open_replay(tmp_path / "text.txt", tokenizer, share=0.5, seed=1, window=64)
    assert replay.n_pieces == len("".join(lines)) // 4000
    first = next(tokens for tokens in replay.pieces_for(0, replay.n_pieces) if "mat 0\n" in tokenizer.decode(tokens))
    assert first == [0, *tokenizer("".join(lines))["input_ids"]][:64]
    (tmp_path / "short.txt").write_text("the dog ran\n")
    with pytest.raises(UserError, match=r"shorter than one piece of 4000 bytes\nhint: "):
        open_replay(tmp_path / "short.txt", tokenizer, share=0.5, seed=1, window=64)


@pytest.mark.parametrize("row_tokens", [1, 2048])
@pytest.mark.parametrize("architecture", ["llama", "mistral"])  # packed, and padded
def test_a_training_with_text_is_that_of_the_loss_in_which_every_sequence_weighs_alike(
    tiny_model, examples, architecture, row_tokens
):
    replay, reference, model = pieces(0.3), tiny_model(architecture), tiny_model(architecture)
    expected = by_hand(reference, examples, SETTINGS, replay=replay)
    losses, *_ = train(model, examples, SETTINGS, pad=0, row_tokens=row_tokens, replay=replay)
    assert losses == pytest.approx(expected, abs=1e-4)
    assert_same_answers(model, reference, examples)
    assert losses != pytest.approx(train(tiny_model(architecture), examples, SETTINGS, pad=0).losses, abs=1e-3)


def test_text_is_read_again_after_memory_did_not_do(tiny_model, examples):
    expected, replay = tiny_model("llama"), pieces(0.5)
    losses = train(expected, examples, SETTINGS, pad=0, replay=replay).losses
    model, forward = tiny_model("llama"), type(expected).forward

    def forward_in_memory(self, input_ids, **how):
        if input_ids.shape[1] > 30:  # a batch's pieces together are longer, its examples or theirs alone are not
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, input_ids=input_ids, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "forward", forward_in_memory)
        assert train(model, examples, SETTINGS, pad=0, replay=replay).losses == pytest.approx(losses, abs=1e-5)
    assert_same_answers(model, expected, examples)


@pytest.mark.parametrize("row_tokens", [1, 2048])
@pytest.mark.parametrize("architecture", ["llama", "mistral", "gpt2"])
def test_a_training_of_adapters_is_that_of_peft_written_by_hand(tiny_model, examples, architecture, row_tokens):
    no_dropout = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0} if architecture == "gpt2" else {}
    torch.manual_seed(LORA.seed)
    base = tiny_model(architecture, **no_dropout)
    torch.manual_seed(LORA.seed)  # where adapters start
    reference = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    expected = by_hand(reference, examples, LORA)
    model = tiny_model(architecture, **no_dropout)
    names = {name for name, _ in model.named_parameters()}
    losses, status, *_ = train(model, examples, LORA, pad=0, row_tokens=row_tokens)
    assert status == "done" and losses[-1] < losses[0] - 0.5
    assert losses == pytest.approx(expected, abs=1e-3)
    assert_same_answers(model, reference.merge_and_unload(), examples)
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == names


def test_merged_adapters_answer_as_they_did_next_to_the_weights_and_nothing_else_has_moved(tiny_model):
    model, start, tokens = tiny_model("llama"), tiny_model("llama"), torch.tensor([[5, 6, 7, 8]])
    linear = {f"{name}.weight" for name in linear_modules(model)}
    assert len(linear) == 2 * 7 and not any("embed" in name or "lm_head" in name for name in linear)
    attached = attach(model, LORA)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".lora_")[0] + ".weight" for name in trained} == linear
    assert torch.equal(model(tokens).logits, start(tokens).logits)  # adapters start at nothing
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    apart = model(tokens).logits
    attached.merge()
    assert torch.allclose(model(tokens).logits, apart, atol=1e-5)
    assert not torch.allclose(apart, start(tokens).logits, atol=1e-2)
    moved = {n for (n, a), b in zip(model.named_parameters(), start.parameters(), strict=True) if not torch.equal(a, b)}
    assert moved == linear
    assert model.state_dict().keys() == start.state_dict().keys()
    assert not hasattr(model, "peft_config")


def test_only_the_named_layers_get_adapters(tiny_model, examples):
    model, start = tiny_model("llama"), tiny_model("llama")
    train(model, examples, replace(LORA, modules=("q_proj", "v_proj")), pad=0)
    moved = {n for (n, a), b in zip(model.named_parameters(), start.parameters(), strict=True) if not torch.equal(a, b)}
    assert moved == {f"model.layers.{n}.self_attn.{name}.weight" for n in (0, 1) for name in ("q_proj", "v_proj")}
    with pytest.raises(UserError, match=r"the model has no c_attn; its blocks have down_proj, .*\nhint: "):
        train(model, examples, replace(LORA, modules=("c_attn",)), pad=0)


@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ("mamba", {"in_proj", "x_proj", "dt_proj"}),  # a fused kernel reads the weight of out_proj itself
        ("biogpt", {"k_proj", "v_proj", "q_proj", "out_proj", "fc1", "fc2"}),  # does not say what its blocks are
    ],
)
def test_layers_that_can_have_adapters_are_found(architecture, names):
    model = model_zoo.tiny_model(architecture)
    assert {name.rpartition(".")[2] for name in linear_modules(model)} == names
    attached = attach(model, LORA)
    assert any("lora_A" in name for name, _ in model.named_parameters())
    attached.merge()
    assert not any("lora_A" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize(
    "settings", [replace(SETTINGS, pull=0.3), LORA, replace(SETTINGS, steps=5)], ids=["pull", "lora", "steps"]
)
def test_a_treated_training_that_is_killed_goes_on_to_the_same_weights(
    tiny_model, examples, tmp_path, settings, n_steps
):
    expected = tiny_model("llama")
    outcome = train(expected, examples, settings, pad=0, replay=pieces(0.3))
    progress = Progress(tmp_path / "state", "mine", 0)

    with killed_after(n_steps):
        train(tiny_model("llama"), examples, settings, pad=0, progress=progress, replay=pieces(0.3))
    torch.manual_seed(99)
    model = tiny_model("llama")
    again = train(model, examples, settings, pad=0, progress=progress, replay=pieces(0.3))
    assert again[:3] == outcome[:3]
    states = [found.state or {} for found in (again, outcome)]
    assert states[0].keys() == states[1].keys() and (settings is not LORA or states[0])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))


def test_adapters_of_a_training_that_diverged_are_merged_too(tiny_model, examples):
    model = tiny_model("llama")
    outcome = train(model, examples, replace(LORA, learning_rate=1e4, epochs=20), pad=0)
    assert outcome.status == "diverged"
    assert model.state_dict().keys() == tiny_model("llama").state_dict().keys()


def test_no_job_but_that_of_adapters_imports_peft():
    for path in SCRIPTS.rglob("*.py"):
        for statement in ast.parse(path.read_text()).body:  # those at the top alone
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            names += [statement.module or ""] if isinstance(statement, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in ("peft", "accelerate") for name in names), path
