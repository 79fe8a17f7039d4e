"""Train embeddings of virtual tokens before every text (Lester et al. 2021, arXiv 2104.08691).

With an encoder, which computes the embeddings in training, it is P-tuning (Liu et al. 2021, arXiv 2103.10385). The
vocabulary stays as it is, so that nothing can write them.
"""

from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.models.forward.kv_cache import KeysAndValues, Memory
from ripeness.models.forward.packed_attention import causal_groups, most_unequal
from ripeness.models.forward.transfer import to_device
from ripeness.models.forward.virtual_tokens import VirtualTokens
from ripeness.models.methods.virtual_tokens import BeforeText, check_model
from ripeness.study.methods.prompt import PromptSettings


class EmbeddingsBeforeText(VirtualTokens):
    """Virtual tokens that are embeddings: numbers (n, D)."""

    def keys_and_values(self, model: PreTrainedModel) -> KeysAndValues:
        """Compute keys and values by reading the embeddings."""
        memory, device = Memory(1, self.n_tokens, None), model.device
        memory.read(0, [self.n_tokens], device)
        model(
            inputs_embeds=self.numbers()[None],
            position_ids=torch.arange(self.n_tokens, device=device)[None],
            use_cache=False,
            logits_to_keep=1,
            groups=to_device(causal_groups([self.n_tokens], most_unequal(model)), device),
            memory=memory,
        )
        return memory.layers

    def begin(self, model: PreTrainedModel, given: dict[str, Any]) -> dict[str, Any]:
        """Put the embeddings before those of the tokens."""
        texts = model.get_input_embeddings()(given["input_ids"])  # (B, T, D)
        own = self.numbers().to(texts.dtype).expand(len(texts), -1, -1)
        if (places := given.get("position_ids")) is not None:
            first = torch.arange(self.n_tokens, device=places.device).expand(len(places), -1)
            given = given | {"position_ids": torch.cat([first, places], dim=1)}
        others = {name: value for name, value in given.items() if name != "input_ids"}
        return others | {"inputs_embeds": torch.cat([own, texts], dim=1)}


class LstmEncoder(torch.nn.Module):
    """An LSTM in both directions, and two linear layers."""

    def __init__(self, width: int, size: int) -> None:
        """Make it for embeddings of some width, which it gives too."""
        super().__init__()
        self.lstm = torch.nn.LSTM(width, size, num_layers=2, bidirectional=True, batch_first=True)
        self.head = torch.nn.Sequential(
            torch.nn.Linear(2 * size, 2 * size), torch.nn.ReLU(), torch.nn.Linear(2 * size, width)
        )

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Compute embeddings (n, D) from embeddings (n, D), in single precision.

        Some CPUs that compute in half precision have no LSTM in it.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.head(self.lstm(embeddings.float()[None])[0])[0]


def mlp_encoder(width: int, size: int) -> torch.nn.Module:
    """Make an encoder of three linear layers."""
    return torch.nn.Sequential(
        torch.nn.Linear(width, size),
        torch.nn.ReLU(),
        torch.nn.Linear(size, size),
        torch.nn.ReLU(),
        torch.nn.Linear(size, width),
    )


@torch.no_grad()
def drawn_embeddings(model: PreTrainedModel, n_tokens: int) -> torch.Tensor:
    """Return the embeddings (n, D) of tokens of the vocabulary, drawn from the random numbers at hand."""
    embeddings = model.get_input_embeddings()
    return embeddings(torch.randint(embeddings.num_embeddings, (1, n_tokens)).to(model.device))[0].float().clone()


def attach(model: PreTrainedModel, settings: PromptSettings) -> BeforeText:
    """Put virtual tokens before every text; UserError for a model that does not pack, or has no room for them."""
    check_model(model, settings.kind, settings.tokens)
    learned, encoder = drawn_embeddings(model, settings.tokens), None
    if settings.encoder or settings.initial == "normal":
        learned = torch.randn(learned.shape)
    if settings.encoder:
        make = LstmEncoder if settings.encoder_type == "lstm" else mlp_encoder
        encoder = make(learned.shape[1], settings.encoder)
    return BeforeText(model, settings.kind, EmbeddingsBeforeText(learned, encoder))
