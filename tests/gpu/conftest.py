"""The device of these tests: a GPU; RIPENESS_TEST_DEVICE=cpu or far runs their bodies without one.

Models are made on the device; the tests are those of the folders next to this one.
"""

import os

import pytest
from far_device import NAME, FarDevice, register

DEVICE = os.environ.get("RIPENESS_TEST_DEVICE", "cuda")
OPERATIONS = register() if DEVICE == NAME else []


@pytest.fixture(scope="session", autouse=True)
def device():
    """Give the device; skip where there is none."""
    import torch

    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU that torch can use (CUDA)")
    if DEVICE != NAME:
        yield torch.device(DEVICE)
        return
    with FarDevice():
        yield torch.device(NAME)


@pytest.fixture(scope="session")
def tiny_model(tiny_model, device):
    """Give a maker of random models on the device."""
    return lambda *args, **settings: tiny_model(*args, **settings).to(device)


def pytest_terminal_summary(terminalreporter):
    """Say what was measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties if report.when == "call" else []:
            terminalreporter.write_line(f"{name}: {value}")
