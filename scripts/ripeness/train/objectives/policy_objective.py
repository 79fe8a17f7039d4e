"""A policy: the model draws texts, is rewarded for them, and makes the better ones more likely (GRPO, RLOO, PPO).

Each round draws several texts after each prompt of a batch, by a seed that the training's seed and the step decide.
The reference of the KL divergence is the model at the start: what is trained of it is kept as it was, and takes its
place for a pass over the round's texts. So no second model is in memory but those weights, and they are few where
a kind has a small state.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.models.forward.state_outputs import width_of_states
from ripeness.models.methods.attached import State
from ripeness.models.next_token import Sampling
from ripeness.stats.finite import finite
from ripeness.study.objectives.policy import PolicyGoal
from ripeness.train.objectives import policy_losses as by
from ripeness.train.objectives.drawn_texts import DrawnText, Question, drawn, seed_of, with_prompt
from ripeness.train.objectives.held_out import Asked, measured
from ripeness.train.objectives.objective import Objective
from ripeness.train.objectives.own_texts import few_are_right, rise_without_truth
from ripeness.train.objectives.policy_round import CURVES, Round
from ripeness.train.objectives.start_weights import StartWeights
from ripeness.train.objectives.value_states import ValueStates
from ripeness.train.reading import Room, counts, token_logps

ROUND = "policy_round"  # the name under which buffers are saved with a model's weights


class Policy(Objective[Any]):
    """Learning from rewards of the model's own texts."""

    def __init__(self, goal: PolicyGoal, asked: Asked, *, seed: int, batch_size: int) -> None:
        """Keep what is learned from and how."""
        self.goal, self.asked, self.seed = goal, asked, seed
        every = [*asked.questions, *asked.held_out]
        self.n_texts = min(batch_size, len(asked.questions)) * goal.samples
        self.most = asked.drawing.stopping.max_new_tokens + max(question.start.n_again for question in every)
        self.most_tokens = max(len(question.tokens) for question in every) + self.most
        self.planned: list[list[Question]] = []
        self.own: dict[str, Any] = {}
        self.values: ValueStates | None = None

    def attach(self, model: PreTrainedModel, n_steps: int) -> None:
        """Add the buffers of a round to the model, and PPO's layer of values."""
        width = width_of_states(model) if self.goal.algorithm == "ppo" else None
        self.round = Round(self.n_texts, self.most, n_steps, width).to(model.device)
        self.values = None if width is None else ValueStates(model, self.round.head)
        model.add_module(ROUND, self.round)

    def merge(self, model: PreTrainedModel) -> State | None:
        """Take them out again."""
        if self.values:
            self.values.end()
        delattr(model, ROUND)
        return None

    def units(
        self, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, *, max_length: int, n_before: int = 0
    ) -> list[Question]:
        """Return the questions, which were made of the rows before."""
        return list(self.asked.questions)

    def longest(self, planned: Sequence[Sequence[Question]]) -> int:
        """Return the length of the longest prompt with the longest text."""
        return self.most_tokens

    def begin(self, planned: list[list[Question]], room: Room) -> None:
        """Keep what will be trained as it is."""
        self.planned = planned
        self.start = StartWeights(room.reading.model, ROUND)

    def silent(self) -> AbstractContextManager[None]:
        """Have the model say logits alone, without PPO's values."""
        return self.values.silent() if self.values else nullcontext()

    def before_step(self, step: int, batch: list[Question], room: Room) -> list[DrawnText]:
        """Return the texts of a round, which are drawn at its first step."""
        questions = self.planned[step // self.goal.passes]
        if step % self.goal.passes == 0:
            self.draw_round(step, questions, room)
        found = [
            DrawnText(with_prompt(question, tokens[:n]), place)
            for place, (question, tokens, n) in enumerate(
                zip(
                    [question for question in questions for _ in range(self.goal.samples)],
                    self.round.written.tolist(),
                    self.round.n_tokens.tolist(),
                    strict=False,  # the last batch of an epoch may be smaller
                )
            )
        ]
        self.round.n_read += sum(len(text.tokens) for text in found)
        return found

    def draw_round(self, step: int, questions: list[Question], room: Room) -> None:
        """Draw and reward the texts of a round, and keep what decides their losses."""
        drawing = replace(self.asked.drawing, sampling=Sampling(self.goal.temperature, self.goal.top_p))
        with self.silent():
            asked, written = drawn(drawing, questions, self.goal.samples, seed_of(self.seed, step), room)
        texts = [self.asked.drawing.text(*one) for one in zip(asked, written, strict=True)]
        rewards, truths = self.asked.rewards.of(asked, written, texts)
        examples = [with_prompt(*one) for one in zip(asked, written, strict=True)]
        told_now = room.read(lambda reading, n: reading.each(examples, n, self.said_of), list(examples))
        with self.start.in_place():
            told_before = room.read(lambda reading, n: reading.each(examples, n, self.said_of), list(examples))
        old, reference = [one[:, 0] for one in told_now], [one[:, 0] for one in told_before]
        kl = torch.stack([(now - before).sum() for now, before in zip(old, reference, strict=True)])
        self.round.keep("written", [torch.tensor(tokens).clamp(min=0) for tokens in written])
        self.round.n_tokens.zero_()[: len(written)] = torch.tensor([len(tokens) for tokens in written])
        self.round.n_drawn += sum(map(len, written))
        self.round.keep("old", old)
        self.round.keep("reference", reference)
        self.keep_advantages(torch.tensor(rewards), kl, old, reference, [one[:, 1:] for one in told_now])
        by_prompt = torch.tensor(rewards).view(len(questions), -1)
        values = {
            "reward": sum(rewards) / len(rewards),
            "truth": sum(truths) / len(truths),
            "kl": kl.mean().item(),
            "kl_token": kl.sum().item() / sum(map(len, written)),
            "length": sum(map(len, written)) / len(written),
            "differing": (by_prompt.amax(1) > by_prompt.amin(1)).double().mean().item(),
        }
        self.round.note(step, values)

    def said_of(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the log-probability of each target at the temperature, and PPO's value after it: (N, 1) or (N, 2)."""
        n_words = logits.shape[1] - (self.values is not None)
        logps = token_logps(logits[:, :n_words].float() / self.goal.temperature, targets)
        return torch.cat([logps[:, None], logits[:, n_words:].float()], 1)

    def keep_advantages(
        self,
        rewards: torch.Tensor,
        kl: torch.Tensor,
        old: list[torch.Tensor],
        reference: list[torch.Tensor],
        values: list[torch.Tensor],
    ) -> None:
        """Keep the advantages of texts, or for PPO those of tokens with what values should be."""
        n, weight = self.goal.samples, self.goal.kl_weight
        if self.goal.algorithm == "grpo":
            found = by.group_advantages(rewards.view(-1, n)).flatten()
        elif self.goal.algorithm == "rloo":
            found = by.left_out_advantages((rewards - weight * kl).view(-1, n)).flatten()
        else:
            given = [
                by.token_rewards(reward, now, before, weight)
                for reward, now, before in zip(rewards.tolist(), old, reference, strict=True)
            ]
            expected = [one[:, 0] for one in values]
            gains = [by.generalised_advantages(*one) for one in zip(given, expected, strict=True)]
            self.round.keep("values", expected)
            self.round.keep("returns", [a + b for a, b in zip(gains, expected, strict=True)])
            self.round.keep("advantages", by.whitened(torch.cat(gains)).split([len(one) for one in gains]))
            return
        self.round.keep("advantages", [one.expand(len(tokens)) for one, tokens in zip(found, old, strict=True)])

    def size(self, batch: list[DrawnText]) -> float:
        """Return how many texts there are, or tokens for PPO."""
        return sum(counts([text.example for text in batch])) if self.goal.algorithm == "ppo" else len(batch)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, row: list[DrawnText], size: float) -> torch.Tensor:
        """Compute the share of the loss that some texts have."""
        places = [text.place for text in row]
        said, of = self.said_of(logits, targets), lambda name: self.round.of_tokens(name, places)
        logps, old, advantages = said[:, 0], of("old"), of("advantages")
        clip_range = self.goal.clip_range
        if self.goal.algorithm == "ppo":
            expected = said[:, 1], of("values"), of("returns")
            return by.ppo_loss(logps, old, advantages, *expected, clip_range=clip_range) / size
        lengths = self.round.n_tokens[places]
        owners = torch.repeat_interleave(torch.arange(len(row), device=logps.device), lengths)
        of_texts = self.round.advantages[places, 0]
        if self.goal.algorithm == "rloo":
            return by.rloo_loss(logps, old, of_texts, owners, clip_range=clip_range) / size
        how = {"beta": self.goal.kl_weight, "clip_range": clip_range}
        return by.grpo_loss(logps, old, of("reference"), of_texts, owners, **how) / size

    def has_diverged(self, losses: list[float], n_words: int) -> bool:
        """Tell whether the last round's texts are too far from the start, or no texts at all."""
        return self.is_far() or self.curve("reward")[-1] is None

    def is_far(self) -> bool:
        """Tell whether the KL divergence to the start is above its bound, or no number."""
        kl = self.curve("kl_token")[-1]
        return kl is None or kl > self.goal.max_kl

    def is_lost(self, norm: torch.Tensor, loss: float) -> bool:
        """Tell that nothing is lost by a gradient of zero: all texts may be worth the same."""
        return False

    def end(self, room: Room) -> None:
        """Measure the texts of the result and those of the start after held-out prompts."""
        if self.goal.tries and self.asked.held_out:
            with self.silent():
                self.own = measured(self.asked, self.goal.tries, seed_of(self.seed, "held out"), self.start, room)

    def curve(self, name: str) -> list[float | None]:
        """Return what was noted of each round so far; None for no number."""
        return [finite(value) for value in self.round.curve(name, self.goal.passes)]

    def record(self) -> dict[str, Any]:
        """Return the curves of rounds, what start and result are like, how much was read, and warnings."""
        curves = {name: self.curve(name) for name in CURVES}
        warnings = few_are_right(self.own["start"]) if "start" in self.own else []
        if self.is_far():
            bound, last = self.goal.max_kl, curves["kl_token"][-1]
            said = "no number" if last is None else f"{last:.3g} nats a token"
            warnings.append(f"the training ended with a KL divergence to the start of {said}; max_kl is {bound:g}")
        parted = rise_without_truth(curves["reward"], curves["truth"])
        if self.asked.rewards.model is not None and parted is not None:
            warnings.append(parted)
        return {
            "curves": curves,
            "tokens_seen": int(self.round.n_read),
            "tokens_drawn": int(self.round.n_drawn),
            "own_texts": self.own or None,
            "warnings": warnings,
        }
