"""What a policy keeps of the texts of a round, and of all rounds: in buffers that are saved with the weights."""

from collections.abc import Sequence

import torch

# What is noted of each round: means over its texts, KL to the start in nats a text and a token, tokens a text, and the
# share of prompts whose texts differ in their reward, without which nothing is learned.
CURVES = ("reward", "truth", "kl", "kl_token", "length", "differing")


class Round(torch.nn.Module):
    """The texts of a round, at most so many of so many tokens, and what decides their losses.

    A training that is cut off goes on with the very texts that it had drawn. `values` is what PPO expects of each
    token; its layer is trained with the policy and left out of the model at the end.
    """

    written: torch.Tensor
    n_tokens: torch.Tensor
    old: torch.Tensor
    reference: torch.Tensor
    advantages: torch.Tensor
    values: torch.Tensor
    returns: torch.Tensor
    curves: torch.Tensor
    n_read: torch.Tensor
    n_drawn: torch.Tensor

    def __init__(self, n_texts: int, most_tokens: int, n_steps: int, width: int | None) -> None:
        """Make empty buffers, and with a `width` of states the layer that makes values of them."""
        super().__init__()
        self.register_buffer("written", torch.zeros(n_texts, most_tokens, dtype=torch.long))
        self.register_buffer("n_tokens", torch.zeros(n_texts, dtype=torch.long))
        for name in ("old", "reference", "advantages", "values", "returns"):
            self.register_buffer(name, torch.zeros(n_texts, most_tokens))
        curves = torch.full((n_steps, len(CURVES)), torch.nan, dtype=torch.float64)
        self.register_buffer("curves", curves)
        self.register_buffer("n_read", torch.zeros((), dtype=torch.long))
        self.register_buffer("n_drawn", torch.zeros((), dtype=torch.long))
        if width is not None:
            self.head = torch.nn.Linear(width, 1)
            torch.nn.init.zeros_(self.head.weight)
            torch.nn.init.zeros_(self.head.bias)

    def keep(self, name: str, rows: Sequence[torch.Tensor]) -> None:
        """Put a value for each token of each text into a buffer."""
        buffer = getattr(self, name)
        buffer.zero_()
        for row, values in enumerate(rows):
            buffer[row, : len(values)] = values

    def of_tokens(self, name: str, places: Sequence[int]) -> torch.Tensor:
        """Return the values of all tokens of some texts, one text after the other."""
        buffer = getattr(self, name)
        return torch.cat([buffer[place, : int(self.n_tokens[place])] for place in places])

    def note(self, step: int, values: dict[str, float]) -> None:
        """Note what a round that begins at a step is like."""
        self.curves[step] = torch.tensor([values.get(name, torch.nan) for name in CURVES], dtype=torch.float64)

    def curve(self, name: str, every: int) -> list[float]:
        """Return what was noted of each round so far; a round has so many steps."""
        column = self.curves[::every, CURVES.index(name)].tolist()
        n_rounds = int(self.curves[::every, CURVES.index("length")].isfinite().sum())
        return column[:n_rounds]
