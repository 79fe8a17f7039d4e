"""What the wheel needs beyond files of the project: the dependencies of requirements.in, and the commit."""

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class Dependencies(MetadataHookInterface):
    """Let a package need what requirements.in pins."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the dependencies."""
        lines = (Path(self.root) / "requirements.in").read_text(encoding="utf-8").splitlines()
        metadata["dependencies"] = [line for line in lines if line.strip() and not line.startswith("#")]


class Commit(BuildHookInterface):
    """Write the commit of the code into the wheel, where it is known."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file COMMIT, which ripeness.runtime.project reads."""
        command = ["git", "-C", self.root, "describe", "--always", "--dirty", "--abbrev=12"]
        above = os.environ | {"GIT_CEILING_DIRECTORIES": str(Path(self.root).parent)}  # another project's repository
        with suppress(OSError, subprocess.CalledProcessError):
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=above)
            self.folder = tempfile.TemporaryDirectory()
            path = Path(self.folder.name, "COMMIT")
            path.write_text(done.stdout)
            build_data["force_include"][str(path)] = "ripeness/project/COMMIT"
