"""Read the settings of a method or a training: of its kind, with a reason and a hint for those that cannot be.

Nothing heavy is imported: the config is checked by the same code, and every job of a cluster parses it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types
from ripeness.runtime.wording import hint
from ripeness.study.methods.limits import check_limits, choices_of, known
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS, Kind, MethodSettings, TrainingSettings
from ripeness.study.objectives.register import LEARNS

# It passes values on or refuses them; the defaults are those of the dataclasses.
NEUTRAL = True

SHARED = {"steps": {"minimum": 1}, "examples": {"minimum": 1}, "replay": {"exclusiveMinimum": 0, "exclusiveMaximum": 1}}


def read_settings(values: dict[str, Any]) -> MethodSettings:
    """Return the settings in a JSON object; UserError for an unknown or missing key, or a value that cannot be."""
    name = values.get("kind", "full")
    if name not in list(KINDS):  # which may be of any type
        raise UserError(f"settings: unknown kind {name!r}\n{hint(name, list(KINDS), otherwise=known(KINDS))}")
    kind = KINDS[name]
    given = {key: value for key, value in values.items() if value is not None}
    if (learned := given.get("learns", ANSWERS)) not in LEARNS:
        near = hint(learned, list(LEARNS), otherwise=known(LEARNS))
        raise UserError(f"settings: unknown learns {learned!r}\n{near}")
    check_method("settings", given)
    names = [field.name for field in fields(kind.settings)]
    missing = [field.name for field in fields(kind.settings) if field.default is MISSING and field.name not in given]
    if unknown := sorted(values.keys() - set(names) - keys_of_others(kind)):
        near = hint(unknown[0], names, otherwise=known(names))
        raise UserError(f"settings: unknown key {', '.join(map(repr, unknown))}\n{near}")
    if missing:
        raise UserError(f"settings: missing {', '.join(map(repr, missing))}\nhint: {known(names)}")
    given = {key: value for key, value in given.items() if key in names}
    for key, choices in choices_of(kind.settings).items():
        if given.get(key, choices[0]) not in choices:
            near = hint(given[key], list(choices), otherwise=known(choices))
            raise UserError(f"settings: unknown {key} {given[key]!r}\n{near}")
    check_types("settings", kind.settings, given)
    check_limits("settings", dict(SHARED) | dict(kind.keys), given)
    found: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return kind.settings(**found)


def on_dataset(settings: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Return a method's settings as they are on one dataset."""
    general = {key: value for key, value in settings.items() if key != "by_dataset"}
    return general | settings.get("by_dataset", {}).get(dataset, {})


def check_method(where: str, given: Mapping[str, Any]) -> None:
    """Refuse settings that do not go with a kind, in a method of the config or in one training."""
    name = given.get("kind", "full")
    kind = KINDS[name]
    for key in given.keys() & kind.refused.keys():
        raise UserError(f"{where}: {kind.refused[key]}")
    if not kind.takes_steps:
        check_no_steps(where, name, given)
    if strange := [key for key in given if key in keys_of_others(kind)]:
        owners = [other for other in KINDS if set(strange) <= KINDS[other].keys.keys()]
        owners = owners or [other for other in KINDS if set(strange) & KINDS[other].keys.keys()]
        raise UserError(
            f"{where}: kind {name} has no {', '.join(strange)}\nhint: kind: {' or '.join(owners)}, or leave the key out"
        )
    if kind.learns and (learned := given.get("learns", ANSWERS)) not in kind.learns:
        near = f"hint: learns: {kind.learns[0]}, or another kind"
        raise UserError(f"{where}: a training of kind {name} does not learn {learned}\n{near}")
    if lacking := [key for key in required_by(kind) if key not in given]:
        raise UserError(f"{where}: kind {name} lacks {' and '.join(lacking)}\nhint: e.g. {kind.example}")
    kind.check(where, given)


def check_no_steps(where: str, name: str, given: Mapping[str, Any]) -> None:
    """Refuse settings of steps, other than the defaults that a config is filled with, for a kind that takes none."""
    own = {field.name for field in fields(KINDS[name].settings)}
    defaults = {field.name: field.default for field in fields(TrainingSettings) if field.name not in own}
    steps = [key for key, default in defaults.items() if given.get(key, default) != default]
    if steps := steps + [key for key in ("by_dataset",) if key in given]:
        raise UserError(
            f"{where}: kind {name} takes no steps of an optimizer, and has no {', '.join(steps)}\n"
            f"hint: kind: {name} alone is enough; leave the other keys out"
        )


def keys_of_others(kind: Kind) -> set[str]:
    """Return the settings that only other kinds have."""
    return {key for other in KINDS.values() for key in other.keys} - kind.keys.keys()


def required_by(kind: Kind) -> list[str]:
    """Return a kind's own settings that have no default."""
    return [field.name for field in fields(kind.settings) if field.name in kind.keys and field.default is MISSING]
