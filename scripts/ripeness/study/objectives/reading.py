"""Read the settings of what a model learns, from those of a method or a training."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.typed_settings import check_types
from ripeness.runtime.wording import hint
from ripeness.study.methods.limits import check_limits, choices_of, known
from ripeness.study.objectives.goal import Goal
from ripeness.study.objectives.register import LEARNED

# It passes values on or refuses them; the defaults are those of the dataclasses.
NEUTRAL = True


def goal_keys() -> set[str]:
    """Return the settings that only some things to learn have."""
    return {key for learned in LEARNED.values() for key in learned.keys}


def check_goal(where: str, given: Mapping[str, Any]) -> None:
    """Refuse settings that do not go with what is learned, in a method of the config or in one training."""
    name = given.get("learns")
    learned = LEARNED.get(str(name))
    own = set(learned.keys) if learned else set()
    if strange := [key for key in given if key in goal_keys() - own]:
        owners = [other for other in LEARNED if set(strange) <= LEARNED[other].keys.keys()]
        raise UserError(
            f"{where}: what learns {name or 'answers'} has no {', '.join(strange)}\n"
            f"hint: learns: {' or '.join(owners or list(LEARNED))}, or leave the key out"
        )
    if learned is None:
        return
    for key in given.keys() & learned.refused.keys():
        raise UserError(f"{where}: {learned.refused[key]}")
    if given.get("gpu", 1) > 1:
        raise UserError(f"{where}: what learns {name} is trained on one GPU, not {given['gpu']}\nhint: gpu: 1")
    required = [field.name for field in fields(learned.settings) if field.default is MISSING]
    if lacking := [key for key in required if key not in given]:
        raise UserError(f"{where}: learns {name} lacks {' and '.join(lacking)}\nhint: e.g. {learned.example}")
    for key, choices in choices_of(learned.settings).items():
        if given.get(key, choices[0]) not in choices:
            near = hint(given[key], list(choices), otherwise=known(choices))
            raise UserError(f"{where}: unknown {key} {given[key]!r}\n{near}")
    own_values = {key: given[key] for key in own if key in given}
    check_types(where, learned.settings, own_values)
    check_limits(where, learned.keys, own_values)
    learned.check(where, given)


def read_goal(values: Mapping[str, Any]) -> tuple[Goal | None, dict[str, Any]]:
    """Return the settings of what is learned, None for answers and text, and the other settings of a training."""
    given = {key: value for key, value in values.items() if value is not None}
    check_goal("settings", given)
    learned = LEARNED.get(str(given.get("learns")))
    if learned is None:
        return None, dict(values)
    found = {key: given[key] for key in learned.keys if key in given}
    return learned.settings(**found), {key: value for key, value in values.items() if key not in found}
