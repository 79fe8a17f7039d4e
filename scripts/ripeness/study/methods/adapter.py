"""Define tuning by bottleneck adapters behind the parts of blocks (Houlsby et al. 2019, arXiv 1902.00751)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.adapters import NO_PULL, NO_START
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import Kind, TrainingSettings
from ripeness.study.methods.sizes import width_of


@dataclass(frozen=True, kw_only=True)
class AdapterSettings(TrainingSettings):
    """Settings of a training of adapters: their inner size, behind which parts, and how many blocks have none.

    `places` None is both. With `robust` the first blocks are without theirs in some steps only.
    """

    size: int
    places: Literal["both", "feed-forward"] | None = None
    drop: int | None = None
    robust: bool | None = None
    kind: Literal["adapter"] = "adapter"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse to drop no known number of blocks at random, or several GPUs."""
    if given.get("robust") and not given.get("drop"):
        raise UserError(
            f"{where}: `robust` drops adapters at random, but `drop` does not say in how many of the first blocks\n"
            "hint: drop: 1 or more, less than the model has, or leave `robust` out"
        )
    check_one_gpu(where, given)


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in the adapters, on the safe side: 4 d s in a block of 12 d^2, where d is the width."""
    return round(n_parameters * min(1.0, 2 * given["size"] / max(1.0, width_of(n_parameters))))


ADAPTER = Kind(
    AdapterSettings,
    trains="bottleneck adapters behind the attention and the feed-forward part of each block, which stay there",
    keys={
        "size": {"description": "Inner size of the adapters.", "minimum": 1, "maximum": 100000},
        "places": {
            "description": (
                "Where the adapters are: both, after the attention and the feed-forward part (Houlsby et al.), or "
                "feed-forward, after the latter alone (Pfeiffer et al.). Default: both."
            )
        },
        "drop": {
            "description": "How many of the first blocks have no adapters (AdapterDrop). Default: none.",
            "minimum": 1,
            "maximum": 10000,
        },
        "robust": {
            "description": (
                "Whether a number from 0 to `drop` is drawn at each step, and that many of the first blocks have "
                "no adapters in the step. All adapters are on when the model is measured."
            )
        },
    },
    example="size: 8",
    refused={"pull": NO_PULL},
    check=check,
    has_small_state=True,
    merges=False,
    no_start=NO_START,
    state_size=state_size,
)
