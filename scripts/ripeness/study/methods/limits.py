"""Refuse values of settings outside the limits of a schema, or that are none of some words."""

import operator
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ripeness.runtime.errors import UserError

# It passes values on or refuses them.
NEUTRAL = True

LIMITS = {
    "minimum": (operator.ge, "less than"),
    "exclusiveMinimum": (operator.gt, "not above"),
    "maximum": (operator.le, "more than"),
    "exclusiveMaximum": (operator.lt, "not below"),
}


def known(names: Any) -> str:
    """Return the part of a hint that lists what is known."""
    return f"known are {', '.join(names)}"


def choices_of(settings: type) -> dict[str, tuple[str, ...]]:
    """Return the settings that are one of some words, with these."""
    hints = [(key, kind) for key, one in get_type_hints(settings).items() for kind in (one, *get_args(one))]
    return {key: get_args(kind) for key, kind in hints if get_origin(kind) is Literal}


def check_limits(where: str, keys: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> None:
    """Refuse numbers outside the limits that the schema of their key names."""
    for key, schema in keys.items():
        for limit, (holds, words) in LIMITS.items():
            if limit in schema and given.get(key) is not None and not holds(given[key], schema[limit]):
                raise UserError(
                    f"{where}.{key}: {given[key]} is {words} {schema[limit]}\nhint: config.schema.yaml explains the key"
                )
