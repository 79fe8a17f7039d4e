"""How programs of this project call Snakemake."""

import os
import sys
from itertools import takewhile
from pathlib import Path

from ripeness.runtime.project import ROOT


def snakemake_command(study: Path, *options: str) -> list[str]:
    """The command that runs the Snakefile on a study; the study that is embedded is named by the Snakefile itself."""
    configured = [] if study.resolve() == ROOT / "config.yaml" else ["--configfile", str(study)]
    return [sys.executable, "-m", "snakemake", *configured, "--snakefile", str(ROOT / "Snakefile"), *options]


def snakemake_environment() -> dict[str, str]:
    """The environment in which Snakemake and its jobs find the programs that are installed beside this Python."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def is_group(arguments: list[str]) -> bool:
    """Whether these arguments of Snakemake, inside a job of a cluster, name several jobs to run."""
    after = arguments[arguments.index("--target-jobs") + 1 :] if "--target-jobs" in arguments else []
    return len(list(takewhile(lambda word: not word.startswith("--"), after))) > 1
