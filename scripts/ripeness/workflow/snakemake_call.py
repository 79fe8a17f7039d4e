"""Call Snakemake from the programs of this project."""

import os
import sys
from pathlib import Path

from ripeness.runtime.project import ROOT


def snakemake_command(study: Path, *options: str) -> list[str]:
    """Return the command that runs the Snakefile on a study.

    The study that is embedded is named by the Snakefile itself.
    """
    configured = [] if study.resolve() == ROOT / "config.yaml" else ["--configfile", str(study)]
    return [sys.executable, "-m", "snakemake", *configured, "--snakefile", str(ROOT / "Snakefile"), *options]


def snakemake_environment() -> dict[str, str]:
    """Return the environment in which Snakemake and its jobs find the programs installed next to this Python."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
