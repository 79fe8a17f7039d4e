"""Published speeds of GPUs, and the share of them that jobs of a study reach."""

from dataclasses import dataclass

from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint

SHARES = (0.1, 0.3)  # of the peak: short prompts and small batches, and large batches of a large model
TYPICAL = (SHARES[0] * SHARES[1]) ** 0.5
MEASURED = 1.5  # times as long, or as short, where jobs of this study have run: other lengths, other checkpoints


@dataclass(frozen=True)
class Gpu:
    """Operations a second in bf16 without sparsity, and watts at most, as the maker publishes them."""

    flops: float
    watts: int


GPUS = {
    "B200": Gpu(2.25e15, 1000),
    "H200": Gpu(9.89e14, 700),
    "H100": Gpu(9.89e14, 700),
    "H100-PCIe": Gpu(7.56e14, 350),
    "A100": Gpu(3.12e14, 400),
    "L40S": Gpu(3.62e14, 350),
    "A10": Gpu(1.25e14, 150),
    "L4": Gpu(1.21e14, 72),
    "RTX-4090": Gpu(1.65e14, 450),
    "RTX-3090": Gpu(7.1e13, 350),
    "MI300X": Gpu(1.307e15, 750),
}


def named_gpu(name: str) -> Gpu:
    """Return what is published of a GPU; UserError for one that is not listed."""
    found = next((gpu for known, gpu in GPUS.items() if known.lower() == name.lower()), None)
    if found is None:
        near = hint(name, list(GPUS), otherwise="name one that is about as fast")
        raise UserError(f"unknown GPU {name!r}; known are {', '.join(GPUS)}\n{near}")
    return found
