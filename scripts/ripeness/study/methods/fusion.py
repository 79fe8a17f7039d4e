"""Define tuning by an attention over adapters of other datasets (AdapterFusion; Pfeiffer et al. 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ripeness.runtime.errors import UserError
from ripeness.study.methods.adapter import ADAPTER
from ripeness.study.methods.adapters import NO_PULL, NO_START
from ripeness.study.methods.one_gpu import check_one_gpu
from ripeness.study.methods.settings import ANSWERS, Kind, Reference, TrainingSettings

OF = "of"  # the role of the adapters
LEAST = 2  # adapters; an attention over one has nothing to choose from


@dataclass(frozen=True, kw_only=True)
class FusionSettings(TrainingSettings):
    """Settings of a training of an attention over adapters: the method that they are of, and their datasets."""

    of: dict[str, Any]
    kind: Literal["fusion"] = "fusion"


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse what does not name a method and some datasets, and several GPUs."""
    of = given["of"]
    datasets: Any = of.get("datasets") if isinstance(of, Mapping) else None
    is_list = isinstance(datasets, list) and all(isinstance(one, str) for one in datasets)
    if not is_list or of.keys() != {"method", "datasets"} or not isinstance(of["method"], str):
        raise UserError(
            f"{where}.of: {of!r} does not name a method of kind adapter as `method` and a list of `datasets`\n"
            "hint: e.g. of: {method: adapter, datasets: [sst2, agnews]}"
        )
    if len(set(datasets)) < max(LEAST, len(datasets)):
        raise UserError(
            f"{where}.of: datasets are {', '.join(datasets)}; a fusion needs {LEAST} or more, each once\n"
            "hint: name further datasets, or kind: adapter"
        )
    check_one_gpu(where, given)


def adapters_read(given: Mapping[str, Any]) -> list[Reference]:
    """Return the method of the adapters and their datasets."""
    return [Reference(OF, given["of"]["method"], tuple(given["of"]["datasets"]), kind=ADAPTER.name)]


FUSION = Kind(
    FusionSettings,
    trains="an attention over the adapters that other trainings have learned, which stay as they are",
    keys={
        "of": {
            "description": (
                "The adapters that are fused (AdapterFusion): those of a `method` of kind adapter on these `datasets`, "
                "of the same series, checkpoint and seed."
            ),
            "required": ["method", "datasets"],
            "additionalProperties": False,
            "properties": {
                "method": {"type": "string", "minLength": 1},
                "datasets": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": LEAST},
            },
        }
    },
    example="of: {method: adapter, datasets: [sst2, agnews]}",
    refused={"pull": NO_PULL},
    check=check,
    has_small_state=True,
    merges=False,
    no_start=NO_START,
    reads=adapters_read,
    learns=(ANSWERS,),
)
