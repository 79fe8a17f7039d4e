"""Name what is fetched from a server, for requests and for messages."""

from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from huggingface_hub import constants


@dataclass(frozen=True)
class Target:
    """A repository of the hub at a revision, or a file at an address (`name`); perhaps only a `part` of it."""

    kind: Literal["model", "dataset", "file"]
    name: str
    revision: str = ""
    part: str = ""

    def __str__(self) -> str:
        """Write the target as messages name it."""
        where = f" at {self.revision}" if self.revision else ""
        part = f": {self.part}" if self.part else ""
        return f"{'the dataset ' if self.kind == 'dataset' else ''}{self.name}{where}{part}"

    @property
    def page(self) -> str:
        """Give the address of its page, where a user can read and accept its terms."""
        if self.kind == "file":
            return self.name
        return f"{constants.ENDPOINT}/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"

    @property
    def server(self) -> str:
        """Give the address of the server that answers for it."""
        if self.kind != "file":
            return constants.ENDPOINT
        parts = urlsplit(self.name)
        return f"{parts.scheme}://{parts.netloc}"

    def at(self, part: str) -> "Target":
        """Name one part of it."""
        return replace(self, part=part)
