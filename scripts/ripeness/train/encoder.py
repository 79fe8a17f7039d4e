"""Pre-train a small encoder of pictures on drawn scenes, and measure whether its states hold what is asked of them.

It learns to name colour, shape and place by a linear layer on the mean of its patch states, those that a projector
reads later; the layer is thrown away. Its accuracy on scenes that it has not seen is a gate: a model cannot learn to
see what its encoder does not recognise.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import CLIPVisionConfig, CLIPVisionModel

from ripeness.data.nursery.scenes import QUESTIONS, SIZE, scenes
from ripeness.models.vision import Encoder, patch_states, pixels_of
from ripeness.runtime.errors import UserError

WARMUP = 0.1  # share of steps
SPLITS = ("encoder", "encoder-test")  # of scenes, which no dataset has


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """How an encoder is pre-trained; config.schema.yaml explains the values and has the same defaults."""

    seed: int = 0
    patch_size: int = 6
    hidden_size: int = 48
    n_layers: int = 2
    n_heads: int = 4
    intermediate_size: int = 96
    initial_std: float = 0.08
    scenes: int = 2000
    test_scenes: int = 300
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 2e-3
    min_accuracy: float = 0.9


def new_tower(settings: EncoderSettings) -> CLIPVisionModel:
    """Make a vision transformer with random weights."""
    if SIZE % settings.patch_size:
        raise UserError(f"patch_size: {settings.patch_size} does not divide {SIZE} pixels\nhint: 4, 6, 8 or 12")
    config = CLIPVisionConfig(
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.n_layers,
        num_attention_heads=settings.n_heads,
        image_size=SIZE,
        patch_size=settings.patch_size,
        hidden_act="gelu",
    )
    tower = CLIPVisionModel(config)
    for weight in tower.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=settings.initial_std)
    return tower


def drawn(encoder: Encoder, n: int, split: str, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw scenes: pixels (n, 3, S, S), and the place of the right answer to each question (n, questions)."""
    found = scenes(n, split=split, seed=seed)
    pixels = torch.stack([pixels_of(encoder, picture) for _, picture in found])
    places = [[answers.index(scene[asked]) for asked, (_, answers) in QUESTIONS.items()] for scene, _ in found]
    return pixels, torch.tensor(places)


def pretrain(encoder: Encoder, settings: EncoderSettings) -> dict[str, float]:
    """Train the tower of an encoder in place; return its accuracy by question on scenes that it has not seen."""
    tower = encoder.tower.requires_grad_(True)
    sizes = [len(answers) for _, answers in QUESTIONS.values()]
    head = torch.nn.Linear(settings.hidden_size, sum(sizes)).to(tower.device)
    pixels, places = drawn(encoder, settings.scenes, SPLITS[0], settings.seed)
    weights = [*tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0)
    steps = settings.epochs * -(-len(pixels) // settings.batch_size)
    warmup = max(1, round(WARMUP * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))
    )
    order = np.random.RandomState(settings.seed)
    for epoch in range(settings.epochs):
        losses = []
        for batch in np.array_split(order.permutation(len(pixels)), steps // settings.epochs):
            logits = answers_of(encoder, head, pixels[batch]).split(sizes, dim=1)
            golds = places[batch].to(tower.device).unbind(1)
            loss = torch.stack([cross_entropy(one, gold) for one, gold in zip(logits, golds, strict=True)]).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
        logging.info("epoch %d: loss %.4f", epoch + 1, sum(losses) / len(losses))
    tower.requires_grad_(False)
    return accuracy_of(encoder, head, settings)


def answers_of(encoder: Encoder, head: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Compute logits of all answers to all questions, (B, answers), from the mean of the patch states."""
    pixels = pixels.to(encoder.tower.device)
    return head(patch_states(encoder.tower, pixels, layer=encoder.layer, n_before=encoder.n_before).mean(1))


@torch.inference_mode()
def accuracy_of(encoder: Encoder, head: torch.nn.Module, settings: EncoderSettings) -> dict[str, float]:
    """Measure the share of right answers by question, on scenes that were not learned."""
    pixels, places = drawn(encoder, settings.test_scenes, SPLITS[1], settings.seed)
    logits = answers_of(encoder, head, pixels).cpu().split([len(answers) for _, answers in QUESTIONS.values()], dim=1)
    return {
        asked: (one.argmax(1) == gold).float().mean().item()
        for asked, one, gold in zip(QUESTIONS, logits, places.unbind(1), strict=True)
    }


def check_accuracy(accuracy: dict[str, float], least: float) -> None:
    """Refuse an encoder that does not know what is asked."""
    if unknown := {asked: share for asked, share in accuracy.items() if share < least}:
        said = ", ".join(f"{asked} {share:.2f}" for asked, share in unknown.items())
        raise UserError(
            f"the encoder does not recognise what the questions are about: {said}, less than {least:g}\n"
            "hint: more `epochs`, `scenes` or another `learning_rate` under pictures.pretrain; a model cannot learn to "
            "see what its encoder does not recognise"
        )
