"""Patch states that are computed when they are read, for pictures whose states would be too large to store.

States are computed again in every pass, which costs the encoder's forward pass each time.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from ripeness.storage.pictures import read_picture

LIVE = "encoder.json"  # in a folder of pictures: the encoder, its layer and fingerprint, names and shape
KEPT = 256  # pictures whose states are kept meanwhile, since questions about one follow each other


@dataclass(frozen=True)
class LiveStates:
    """States (n, P, D) of pictures, by an encoder that reads them when they are asked for.

    `contents` are the pictures by name, and `encode` computes the states (m, P, D) of some.
    """

    contents: Mapping[str, bytes]
    encode: Callable[[list[np.ndarray]], torch.Tensor]
    shape: tuple[int, int, int]
    kept: OrderedDict[int, torch.Tensor] = field(default_factory=OrderedDict)

    @cached_property
    def names(self) -> list[str]:
        """The names of the pictures, which are digests of their contents."""
        return list(self.contents)

    def rows(self, places: torch.Tensor) -> torch.Tensor:
        """Return the states (m, D) at places among those of all patches of all pictures."""
        if not len(places):
            return torch.zeros(0, self.shape[2])
        n_patches = self.shape[1]
        asked, inverse = torch.unique(places // n_patches, return_inverse=True)
        wanted = asked.tolist()
        missing = [self.names[one] for one in wanted if one not in self.kept]
        if missing:
            found = self.encode([read_picture(self.contents[name], name) for name in missing])
            self.kept.update(zip([one for one in wanted if one not in self.kept], found, strict=True))
        states = torch.stack([self.kept[one] for one in wanted])
        for one in wanted:
            self.kept.move_to_end(one)
        while len(self.kept) > max(KEPT, len(wanted)):
            self.kept.popitem(last=False)
        return states.flatten(0, 1)[inverse.to(states.device) * n_patches + (places % n_patches).to(states.device)]
