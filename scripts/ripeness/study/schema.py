"""Read a study: check it against config.schema.yaml, fill in the schema's defaults, and say plainly what is wrong."""

import math
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.runtime.wording import hint
from ripeness.study.strict_yaml import MOST_DEEP, MOST_VALUES, read_yaml

SCHEMA = ROOT / "config.schema.yaml"
MOST_CHARACTERS = 200  # of a value in a message
UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list [..]",
    "object": "a mapping {key: value}",
    "boolean": "true or false",
    "null": "empty (null)",
}
# 1.0 is a whole number for JSON Schema, but not in a path; true is one for Python.
WHOLE = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
Validator = extend(Draft202012Validator, type_checker=WHOLE)


@cache
def read_schema(path: Path) -> dict[str, Any]:
    """Read a schema once."""
    return read_yaml(path)


def check_config(config: Mapping[str, Any], schema_path: Path = SCHEMA) -> dict[str, Any]:
    """Return a copy of `config` with the schema's defaults filled in. Raises UserError for the first thing wrong."""
    schema = read_schema(schema_path)
    study = unshared(config, "the file", count(1))
    check_json(study, "")
    errors = list(Validator(schema).iter_errors(study))
    if errors:
        raise UserError(describe(plainest(errors), schema_path.name))
    fill_defaults(study, schema, schema)
    return study


def plainest(errors: list[ValidationError]) -> ValidationError:
    """Choose the error to show: of a key that is missing and one that is unknown in the same place, the unknown one."""
    best = best_match(errors) or errors[0]
    place = best.absolute_path
    unknown = [one for one in errors if one.validator == "additionalProperties" and one.absolute_path == place]
    return unknown[0] if unknown and best.validator == "required" else best


def unshared(value: Any, where: str, counter: Iterator[int], depth: int = 0) -> Any:
    """Copy a value so that no part is shared, as YAML's aliases share them: defaults are filled in, in place."""
    if depth > MOST_DEEP or next(counter) > MOST_VALUES:
        raise UserError(
            f"{where}: YAML aliases expand it to more than {MOST_VALUES:,} values, or to a depth above {MOST_DEEP}\n"
            "hint: write the values out"
        )
    if isinstance(value, Mapping):
        return {key: unshared(part, where, counter, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [unshared(part, where, counter, depth + 1) for part in value]
    return value


def check_json(value: Any, where: str) -> None:
    """Refuse what YAML has and JSON has not: keys that are no text (a bare yes, no or 1), .nan and .inf, and NUL."""
    place = where.removeprefix(".") or "the top level"
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{place}: {value} is not a finite number\nhint: give a number such as 1.0e-3")
    if isinstance(value, str) and UNSPEAKABLE.search(value):
        raise UserError(
            f"{place}: {cut(ascii(value))} has a character that commands and files cannot have\n"
            "hint: remove NUL and halves of surrogate pairs"
        )
    if isinstance(value, list):
        for number, part in enumerate(value):
            check_json(part, f"{where}.{number}")
    if not isinstance(value, dict):
        return
    for key, part in value.items():
        check_json(key, where)
        # the values of a label column may be of any type, that is what they are for
        if not isinstance(key, str) and not where.endswith(".values"):
            raise UserError(
                f"{place}: the key {key!r} is not text\n"
                "hint: put it in quotes; YAML reads a bare yes, no or number as another type"
            )
        check_json(part, f"{where}.{key}")


def resolve(schema: dict, root: dict) -> dict:
    """Follow one `$ref` into `$defs`; siblings of the reference win."""
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**resolve(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}


def fill_defaults(value: Any, schema: dict, root: dict) -> None:
    """Fill the schema's `default`s into `value`, in place."""
    schema = resolve(schema, root)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for key, part in properties.items():
            part = resolve(part, root)
            if key not in value and "default" in part:
                value[key] = deepcopy(part["default"])
        other = schema.get("additionalProperties")
        for key, part in value.items():
            if key in properties or isinstance(other, dict):
                fill_defaults(part, properties.get(key, other), root)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for part in value:
            fill_defaults(part, schema["items"], root)


def describe(error: ValidationError, schema_name: str) -> str:
    """Say what is wrong with a config: where, the value, the choices, a hint."""
    where = ".".join(str(part) for part in error.absolute_path) or "the top level"
    value = cut(repr(error.instance))
    explained = error.schema.get("description")
    more = f"hint: {' '.join(explained.split())}" if explained else f"hint: {schema_name} explains every key"
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(key for key in error.instance if key not in known)[0]
        near = hint(unknown, known, otherwise=f"{schema_name} explains every key")
        return f"{where}: unknown key {cut(repr(unknown))}; known are {', '.join(known)}\n{near}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        needed = ", ".join(error.validator_value)
        way = f"{schema_name} explains every key"
        if not error.absolute_path and "study" in error.instance and len(error.instance) < len(missing):
            way = "with `--config study=...` alone config.yaml is not read; add it: --configfile config.yaml"
        return f"{where}: missing {', '.join(map(repr, missing))}; needed are {needed}\nhint: {way}"
    if error.validator == "enum":
        choices = [str(choice) for choice in error.validator_value]
        near = hint(error.instance, choices, otherwise=f"{schema_name} explains every key")
        return f"{where}: {value} is not one of {', '.join(choices)}\n{near}"
    if error.validator == "pattern":
        return f"{where}: {value} does not match {error.validator_value}\n{more}"
    types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    if error.validator == "type" and {"number", "integer"} & set(types) and is_number(error.instance):
        more = "hint: YAML reads 1e-3 and 1.0e3 as text; write 1.0e-3, 1000 or 1.0e+3, without quotes"
        if re.fullmatch(r"[+-]?\d+(\.\d+)?", error.instance):
            more = "hint: a number in quotes is text; write it without quotes"
    if error.validator == "type" and (known := known_keys(error)):
        near = hint(error.absolute_path[-1], known, otherwise=more.removeprefix("hint: "))
        return f"{where}: {value} is not {TYPES['object']}; keys that are none are {', '.join(known)}\n{near}"
    if error.validator == "type":
        return f"{where}: {value} is not {' or '.join(TYPES[name] for name in types)}\n{more}"
    return f"{where}: {cut(error.message)}\n{more}"


def known_keys(error: ValidationError) -> list[str]:
    """List the keys that a place knows, where a key that it does not know should hold an object and does not."""
    path, schema = list(error.absolute_schema_path), read_schema(SCHEMA)
    if "additionalProperties" not in path or error.validator_value != "object":
        return []
    for key in path[: path.index("additionalProperties")]:
        schema = schema.get(key, {}) if isinstance(schema, dict) else {}
    return sorted(schema.get("properties", {}))


def is_number(value: object) -> bool:
    """Tell whether a text reads as a number."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def cut(text: str) -> str:
    """Return the start and the end of a long text."""
    half = MOST_CHARACTERS // 2
    return text if len(text) <= MOST_CHARACTERS else f"{text[:half]} ... {text[-half:]}"
