"""Check settings from JSON against the types of the dataclass that they will fill."""

import math
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ripeness.runtime.errors import UserError

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest

WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", NoneType: "null"}


def check_types(where: str, kind: type, values: Mapping[str, Any]) -> None:
    """Raise UserError for the first key of `values` whose value has another type than the field of `kind`."""
    for key, hint in get_type_hints(kind).items():
        if key in values and not fits(values[key], hint):
            raise UserError(
                f"{where}: {key} is {values[key]!r}, not {in_words(hint)}\n"
                "hint: JSON numbers have no quotes, texts double quotes, lists square brackets"
            )


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value from JSON is of a type; of types that JSON does not have every value is."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if hint in (int, float):
        is_number = isinstance(value, int if hint is int else (int, float)) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    if hint in (str, bool, NoneType):
        return isinstance(value, hint)
    if origin in (list, tuple, Sequence):
        is_open = origin is not tuple or inner[-1] is Ellipsis
        has_length = isinstance(value, (list, tuple)) and (is_open or len(value) == len(inner))
        return has_length and all(fits(entry, inner[0]) for entry in value)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(fits(entry, inner[1]) for entry in value.values())
    return True


def in_words(hint: Any) -> str:
    """Return a type as a user says it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(in_words(one) for one in inner)
    if origin in (list, tuple, Sequence):
        return f"a list ({in_words(inner[0])} each)"
    if origin in (dict, Mapping):
        return "an object"
    return WORDS.get(hint, "another kind of value")
