"""Locate this project on disk: a clone, or what a wheel has installed; and say which version of it this is."""

import os
import subprocess
from pathlib import Path

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest
SCRIPTS = Path(__file__).resolve().parents[2]
ROOT = SCRIPTS.parent


def searched(folder: Path) -> list[Path]:
    """List where files of a folder are looked for: before one of the project, the user's own in the working folder."""
    own = Path(folder.name)
    return [own, folder] if folder.resolve() == ROOT / folder.name and own.resolve() != folder.resolve() else [folder]


def code_version() -> str:
    """Return the commit of the code, with a mark when files differ from it."""
    built = ROOT / "COMMIT"  # which a wheel has
    if built.is_file():
        return built.read_text(encoding="utf-8").strip()
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    above = os.environ | {"GIT_CEILING_DIRECTORIES": str(ROOT.parent)}  # where a repository is of another project
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, env=above).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not under version control"
