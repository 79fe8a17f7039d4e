"""Define tuning by low-rank adapters of linear layers (LoRA; Hu et al. 2021, arXiv 2106.09685) and its variants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.adapters import ALPHA, MODULES, NO_PULL, RANK
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import Kind, TrainingSettings
from ripeness.study.methods.sizes import width_of


@dataclass(frozen=True, kw_only=True)
class LoraSettings(TrainingSettings):
    """Settings of a training of adapters: their rank, alpha, and the last names of the layers that have one.

    `variant` None is LoRA as its paper has it, `quantised` None leaves the weights as they are.
    """

    rank: int
    alpha: float
    modules: tuple[str, ...] | None = None
    variant: Literal["dora", "rslora", "pissa", "olora"] | None = None
    quantised: Literal["nf4"] | None = None
    kind: Literal["lora"] = "lora"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse a quantised model whose weights would be changed after it, or several GPUs."""
    if given.get("quantised") and given.get("variant") in ("pissa", "olora"):
        raise UserError(
            f"{where}: variant {given['variant']} takes a part out of the weights, which are then no longer rounded\n"
            "hint: leave out `quantised` or `variant`, or variant: dora or rslora"
        )
    check_one_gpu(where, given)


def remarks(settings: TrainingSettings) -> dict[str, Any]:
    """Return what the record says of a quantised model."""
    quantised = getattr(settings, "quantised", None)
    return {"quantised": {"to": quantised, "simulated": True}} if quantised else {}


def state_size(given: Mapping[str, Any], n_parameters: int) -> int:
    """Estimate the numbers in the adapters of all linear layers, on the safe side.

    A matrix of d x k numbers has r (d + k) in its adapter, at most 2 r / d of them for the smaller side d; DoRA has d
    more.
    """
    return round(n_parameters * min(1.0, 2 * 2 * given["rank"] / max(1.0, width_of(n_parameters))))


LORA = Kind(
    LoraSettings,
    trains="low-rank adapters of the linear layers (LoRA, by peft), merged into the weights before measuring",
    keys={
        "rank": RANK,
        "alpha": ALPHA,
        "modules": MODULES,
        "variant": {
            "description": (
                "Variant of LoRA. dora: magnitudes and directions of the weights apart; rslora: scaled by alpha / "
                "sqrt(rank); pissa, olora: adapters start at the main part of the weights. Default: plain LoRA."
            )
        },
        "quantised": {
            "description": (
                "nf4: the linear layers of the blocks are rounded to NF4 in blocks of 64 before tuning (QLoRA). The "
                "quality is that of 4 bits, the memory is not: it is simulated. Default: not rounded."
            )
        },
    },
    example="rank: 8 and alpha: 16; the product of the adapters is multiplied by alpha / rank",
    refused={"pull": NO_PULL},
    check=check,
    remarks=remarks,
    has_small_state=True,
    state_size=state_size,
)
