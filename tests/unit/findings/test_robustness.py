"""What a verdict rests on: planted studies in which one dataset, seed or checkpoint carries it, and in which none does."""

from dataclasses import replace

import pytest
from networks import simulated  # noqa: F401
from planted import QUICK, World, simulate, tables_of
