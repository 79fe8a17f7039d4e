"""The package `ripeness` where it is installed from a wheel: its modules are those of the project next to it."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parent / "project/scripts/ripeness")]
