"""How a model is tuned: the settings of a training, and which of them go together. docs/methods.md has the recipes.

Nothing heavy is imported: the config is checked by the same code, and every job of a cluster parses it.
"""

from dataclasses import MISSING, dataclass, fields
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types

CHOICES = {
    "kind": ("full", "lora"),
    "schedule": ("linear", "constant", "cosine"),
    "precision": ("auto", "fp32", "bf16"),
}


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is tuned; config.schema.yaml explains the values and has the same defaults.

    What is None is not done. `replay` is the share of pre-training text, which lies elsewhere.
    """

    learning_rate: float
    epochs: int
    batch_size: int
    seed: int
    kind: str = "full"
    schedule: str = "linear"
    warmup_ratio: float = 0.03
    weight_decay: float = 0.0
    clip: float = 1.0
    precision: str = "auto"
    steps: int | None = None
    pull: float | None = None
    replay: float | None = None
    rank: int | None = None
    alpha: float | None = None
    modules: tuple[str, ...] | None = None


def read_settings(values: dict[str, Any]) -> TrainingSettings:
    """Settings from a JSON object; UserError for a key that is unknown or missing, or a value that is not a choice."""
    known = [field.name for field in fields(TrainingSettings)]
    needed = [field.name for field in fields(TrainingSettings) if field.default is MISSING]
    unknown, missing = sorted(values.keys() - set(known)), sorted(set(needed) - values.keys())
    if unknown or missing:
        raise UserError(
            f"settings: unknown {unknown or 'none'}, missing {missing or 'none'}\nhint: the keys are {', '.join(known)}"
        )
    for key, choices in CHOICES.items():
        if values.get(key, choices[0]) not in choices:
            raise UserError(f"settings: unknown {key} {values[key]!r}\nhint: known are {', '.join(choices)}")
    given = {key: value for key, value in values.items() if value is not None}
    check_types("settings", TrainingSettings, given)
    check_recipe("settings", given)
    if "modules" in given:
        given["modules"] = tuple(given["modules"])
    return TrainingSettings(**given)


def on_dataset(settings: dict[str, Any], dataset: str) -> dict[str, Any]:
    """A method's settings as they are on one dataset."""
    general = {key: value for key, value in settings.items() if key != "by_dataset"}
    return general | settings.get("by_dataset", {}).get(dataset, {})


def check_recipe(where: str, given: dict[str, Any]) -> None:
    """Refuse settings that do not go together, of a method of the config or of one training."""
    is_lora = given.get("kind") == "lora"
    if is_lora and (missing := [key for key in ("rank", "alpha") if key not in given]):
        raise UserError(
            f"{where}: kind lora lacks {' and '.join(missing)}\n"
            "hint: e.g. rank: 8 and alpha: 16; the product of the adapters is multiplied by alpha / rank"
        )
    if not is_lora and (unused := [key for key in ("rank", "alpha", "modules") if key in given]):
        raise UserError(
            f"{where}: {', '.join(unused)} are of adapters, but kind is {given.get('kind', 'full')!r}\n"
            "hint: kind: lora, or take them out"
        )
    if is_lora and "pull" in given:
        raise UserError(
            f"{where}: `pull` holds weights near those of the checkpoint, but kind lora leaves these as they are\n"
            "hint: take out `pull`, or kind: full; a smaller `rank` or `alpha` also keeps a model near its start"
        )
    if is_lora and given.get("gpu", 1) > 1:
        raise UserError(
            f"{where}: a model with adapters is not shared out to {given['gpu']} GPUs\nhint: gpu: 1, or kind: full"
        )
    share = given.get("replay")
    share = share["share"] if isinstance(share, dict) else share
    if share is not None and not 0 < share < 1:
        raise UserError(f"{where}.replay: a share of {share} is not between 0 and 1\nhint: e.g. 0.1")
    for key in ("steps", "pull", "rank", "alpha"):
        if key in given and not given[key] > 0:
            raise UserError(f"{where}.{key}: {given[key]} is not above 0\nhint: leave the key out to do without it")
