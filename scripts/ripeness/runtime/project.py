"""Locate this project on disk."""

from pathlib import Path

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest
SCRIPTS = Path(__file__).resolve().parents[2]
ROOT = SCRIPTS.parent
