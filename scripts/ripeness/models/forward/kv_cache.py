"""Keys and values of texts that are being written side by side, after a beginning that all share.

The beginning is kept once, not once a text, and places of texts that have ended are given to others.
"""

from dataclasses import dataclass, field

import torch

KeysAndValues = dict[int, tuple[torch.Tensor, torch.Tensor]]  # of every layer, (1, H, P, D) each


@dataclass
class Memory:
    """Keys and values of every layer, (n, H, S, D), of n texts that have at most S tokens after the P shared ones.

    `owners` and `places` say of the tokens that are read next to which text they belong and where they stand in it.
    `bias` (n, 1, 1, s) is added to scores: minus infinity where a text has no token yet.
    """

    n_texts: int
    room: int
    prefix: KeysAndValues | None
    layers: KeysAndValues = field(default_factory=dict)
    owners: torch.Tensor | None = None
    places: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def read(self, first: int, lengths: list[int], device: torch.device) -> None:
        """Expect a row of texts of these lengths, the first of which is number `first`."""
        owners = [first + text for text, length in enumerate(lengths) for _ in range(length)]
        self.owners = torch.tensor(owners, device=device)
        self.places = torch.tensor([place for length in lengths for place in range(length)], device=device)

    def step(self, lengths: list[int], device: torch.device) -> None:
        """Expect one more token of every text, which have these lengths so far."""
        self.owners, self.places = torch.arange(len(lengths), device=device), torch.tensor(lengths, device=device)
        unseen = torch.arange(max(lengths) + 1, device=device) > self.places[:, None]
        self.bias = torch.zeros(unseen.shape, device=device).masked_fill(unseen, -torch.inf)[:, None, None]

    def write(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Remember what was expected, (1, H, T, D) each."""
        if layer not in self.layers:
            self.layers[layer] = tuple(
                states.new_zeros(self.n_texts, states.shape[1], self.room, states.shape[3]) for states in (key, value)
            )
        for kept, states in zip(self.layers[layer], (key, value), strict=True):
            kept[self.owners, :, self.places] = states[0].transpose(0, 1)

    def repeat(self, first: int, texts: list[int]) -> None:
        """Copy texts that were read as number `first` and on: number `first + n` is then that of `first + texts[n]`."""
        for states in (states for layer in self.layers.values() for states in layer):
            states[first : first + len(texts)] = states[[first + text for text in texts]]

    def keep(self, texts: list[int]) -> None:
        """Keep these texts only, numbered again in this order."""
        for states in (states for layer in self.layers.values() for states in layer):
            states[: len(texts)] = states[texts]

    def attend(self, layer: int, query: torch.Tensor, scaling: float | None) -> torch.Tensor:
        """Attend from the newest token of every text to it and all before: (1, H, n, D) gives (1, n, H, D)."""
        _, n_heads, n, size = query.shape
        bias = self.bias
        if bias is None:
            raise ValueError("a newest token attends after `step`")
        keys, values = (states[:n, :, : bias.shape[-1]] for states in self.layers[layer])  # (n, K, s, D)
        shared = keys.shape[1]  # K heads of keys, each for H / K of queries
        queries = query[0].transpose(0, 1).reshape(n, shared, -1, size) * (scaling or size**-0.5)
        # keys times queries, not the other way round: a product with one row is slower on CPUs than one with one column
        scores = (keys @ queries.transpose(2, 3)).transpose(2, 3) + bias.to(query.dtype)  # (n, K, H / K, s)
        if self.prefix:
            before, values_before = (states[0] for states in self.prefix[layer])  # (K, P, D)
            flat = queries.transpose(0, 1).reshape(shared, -1, size)  # (K, n * H / K, D)
            earlier = (flat @ before.transpose(1, 2)).view(shared, n, -1, before.shape[1]).transpose(0, 1)
            scores = torch.cat([scores, earlier], dim=3)
        weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
        output = weights[..., : keys.shape[2]] @ values
        if self.prefix:
            weights = weights[..., keys.shape[2] :].transpose(0, 1).reshape(shared, -1, before.shape[1])
            output += (weights @ values_before).view(shared, n, -1, values.shape[3]).transpose(0, 1)
        return output.reshape(1, n, n_heads, -1)
