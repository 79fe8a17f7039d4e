"""A model with a projector says and learns what LlavaForConditionalGeneration of transformers does, within 1e-4.

The same text model, vision tower and projector, from the pixels on; both stages, and greedy answers.
"""

import copy

import numpy as np
import pytest
import torch
from film_rows import film_rows
from torch.nn.functional import cross_entropy
from transformers import CLIPVisionConfig, CLIPVisionModel, LlavaConfig, LlavaForConditionalGeneration

from ripeness.measure.generation import generate
from ripeness.measure.options import option_scores
from ripeness.measure.prompts import build_prompts
from ripeness.measure.question_pictures import with_pictures as before_prompts
from ripeness.models.batching import IGNORED, encode_examples
from ripeness.models.forward.packed_attention import packed_logits
from ripeness.models.forward.packing import narrows_exactly, packing
from ripeness.models.methods.register import attach
from ripeness.models.next_token import Stopping
from ripeness.models.pictures import Pictures, projector_of, showing
from ripeness.models.vision import encode, encoder_of, pixels_of
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import batches, rate_at, train
from ripeness.train.training_pictures import with_pictures

IMAGE = 384  # the token that stands for a picture in Llava, behind the vocabulary
SHARED = {"epochs": 2, "batch_size": 4, "seed": 1, "precision": "fp32", "learning_rate": 3e-3}
ROWS = film_rows(20)
N_PICTURES = 7  # fewer than rows: some are asked about twice


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    torch.manual_seed(3)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
    tower = CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=24, patch_size=8))
    for weight in tower.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return encoder_of(tower, -2, tmp_path_factory.mktemp("none") / "preprocessor_config.json")


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for _ in range(N_PICTURES)]


@pytest.fixture(scope="module")
def pictures(encoder, drawn):
    places = {row[0]: n % N_PICTURES for n, row in enumerate(ROWS)}
    return Pictures(encode(encoder, drawn), places, encoder.fingerprint)


@pytest.fixture(scope="module")
def examples(tokenizer, pictures, tiny_model):
    texts = encode_examples(ROWS, tokenizer, max_length=64)
    return with_pictures(texts, [row[0] for row in ROWS], pictures, tokenizer, tiny_model().config)


def settings_of(pictures, **given):
    settings = read_settings(SHARED | given)
    return (
        settings.with_encoder(pictures.states.shape[2], pictures.encoder) if given["kind"] == "projector" else settings
    )


def seeing(model, pictures):
    """The model with a projector at its start, as a first stage leaves it that has taken no step."""
    torch.manual_seed(SHARED["seed"])
    attach(model, settings_of(pictures, kind="projector")).merge()
    return model


def as_llava(model, tower):
    """A Llava of transformers with the weights of a model, of its projector, and of a vision tower."""
    text = copy.deepcopy(model)
    config = LlavaConfig(
        vision_config=tower.config, text_config=text.config, image_token_id=IMAGE, vision_feature_layer=-2
    )
    config.text_config.vocab_size = IMAGE + 1
    llava = LlavaForConditionalGeneration(config).eval()
    named = dict(llava.named_parameters())
    pairs = {f"model.language_model.{name}": weight for name, weight in text.model.named_parameters()}
    pairs |= {"lm_head.weight": text.lm_head.weight}
    pairs |= {f"model.vision_tower.{name}": weight for name, weight in tower.named_parameters()}
    ours = projector_of(text).named_parameters()
    pairs |= {f"model.multi_modal_projector.{name}": weight for name, weight in ours}
    assert pairs.keys() == named.keys()
    with torch.no_grad():
        for name, weight in pairs.items():
            named[name][: len(weight)] = weight
    return llava


def read_by(llava, encoder, picture, tokens, n_patches):
    """Logits of Llava for the vocabulary: the picture's tokens are its own, the pixels are given."""
    ids = [IMAGE if token >= IMAGE else token for token in tokens]
    assert ids.count(IMAGE) == n_patches
    pixels = pixels_of(encoder, picture)[None]
    return llava(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0, :, :IMAGE]


@pytest.mark.parametrize("is_narrow", [False, True])
def test_packed_logits_are_those_of_llava_which_reads_each_alone(
    tiny_model, encoder, drawn, pictures, examples, is_narrow
):
    model = seeing(tiny_model(), pictures)
    llava, rows = as_llava(model, encoder.tower), [example.tokens for example in examples[:9]]
    wanted = [n for n, target in enumerate([t for one in examples[:9] for t in one.targets]) if target != IGNORED]
    with torch.no_grad(), packing(model, 64) as is_packed, showing(model, pictures):
        assert is_packed and narrows_exactly(model)
        found = packed_logits(model, rows, torch.tensor(wanted), is_narrow=is_narrow)
        alone = [read_by(llava, encoder, drawn[n % N_PICTURES], row, pictures.n_patches) for n, row in enumerate(rows)]
    assert torch.allclose(found, torch.cat(alone)[wanted], atol=1e-4)
    other = read_by(llava, encoder, drawn[1], rows[0], pictures.n_patches)
    assert (other - alone[0]).abs().max() > 1e-2  # the picture counts


@pytest.mark.parametrize("stage", ["projector", "full"])
def test_losses_of_both_stages_are_those_of_llava(tiny_model, encoder, drawn, pictures, examples, stage):
    settings = settings_of(pictures, kind=stage)
    start = seeing(tiny_model(), pictures)
    llava = as_llava(start, encoder.tower)
    model = tiny_model() if stage == "projector" else start
    losses = train(model, examples, settings, pad=0, pictures=pictures).losses
    llava.requires_grad_(False)
    moving = llava.model.multi_modal_projector if stage == "projector" else llava
    trained = [weight.requires_grad_(True) for name, weight in moving.named_parameters() if "vision_tower" not in name]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.0)
    planned = batches(list(zip(examples, range(len(examples)), strict=True)), settings)
    expected = []
    for step, batch in enumerate(planned):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_at(step, len(planned), settings)
        found = []
        for example, n in batch:
            logits = read_by(llava, encoder, drawn[n % N_PICTURES], example.tokens, pictures.n_patches)[:-1]
            found.append(
                cross_entropy(logits, torch.tensor(example.targets[1:]), reduction="none", ignore_index=IGNORED)
            )
        n_targets = sum(target != IGNORED for example, _ in batch for target in example.targets[1:])
        loss = torch.cat(found).sum() / n_targets
        expected.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    assert len(losses) == len(planned) == 10
    assert losses == pytest.approx(expected, abs=1e-4)
    assert losses[-1] < losses[0] - 0.1


def test_greedy_answers_and_probabilities_of_options_are_those_of_llava(
    tiny_model, tokenizer, encoder, drawn, pictures, examples
):
    model = seeing(tiny_model(), pictures)
    train(model, examples, settings_of(pictures, kind="full"), pad=0, pictures=pictures)
    llava = as_llava(model, encoder.tower)
    asked = [
        {"item": item, "prompt": prompt, "turns": [], "choices": [" good", " very bad and short"], "target": answer}
        for item, prompt, answer in ROWS[:8]
    ]
    prompts = build_prompts(tokenizer, asked, [], separator="", room=40)
    prompts = before_prompts(prompts, [row["item"] for row in asked], pictures, model, tokenizer)
    contexts = [prompt.context for prompt in prompts]
    with showing(model, pictures):
        texts = generate(model, tokenizer, contexts, Stopping(6), batch_tokens=64)
        scores = option_scores(model, prompts, batch_tokens=100)
    for n, (prompt, text, logps) in enumerate(zip(prompts, texts, scores, strict=True)):
        picture, written, context = drawn[n % N_PICTURES], [], prompt.context
        with torch.no_grad():
            while len(written) < 6 and written[-1:] != [tokenizer.eos_token_id]:
                logits = read_by(llava, encoder, picture, context + written, pictures.n_patches)
                written.append(int(logits[-1].argmax()))
            for answer, logp in zip(prompt.answers, logps, strict=True):
                rows = read_by(llava, encoder, picture, context + answer, pictures.n_patches).log_softmax(-1)
                expected = sum(rows[len(context) + k - 1, token].item() for k, token in enumerate(answer))
                assert logp == pytest.approx(expected, abs=1e-4)
        assert text == tokenizer.decode([token for token in written if token != tokenizer.eos_token_id]).strip()
