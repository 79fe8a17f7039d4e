"""Read a study: check it against config.schema.yaml, fill in the schema's defaults, and say plainly what is wrong."""

import difflib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from ripeness.errors import UserError

SCHEMA = Path(__file__).parents[2] / "config.schema.yaml"


def read_yaml(path: Path) -> dict:
    """Read one YAML file that holds a mapping."""
    try:
        value = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no file {path}\nhint: check the path; it is relative to {Path.cwd()}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {error}\nhint: check the indentation at that line") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no keys\nhint: it must consist of lines `key: value`")
    return value


def check_config(config: Mapping[str, Any], schema_path: Path = SCHEMA) -> dict[str, Any]:
    """Return a copy of `config` with the schema's defaults filled in; UserError for the first thing wrong."""
    schema = read_yaml(schema_path)
    study = deepcopy(dict(config))
    check_keys(study, "")
    errors = list(Draft202012Validator(schema).iter_errors(study))
    if errors:
        raise UserError(describe(best_match(errors) or errors[0]))
    fill_defaults(study, schema, schema)
    return study


def check_keys(value: Any, where: str) -> None:  # noqa: ANN401 (any JSON value)
    """Refuse keys that are no text: YAML reads an unquoted yes, no, on or 1 as another type."""
    if isinstance(value, list):
        for part in value:
            check_keys(part, where)
    if not isinstance(value, dict):
        return
    for key, part in value.items():
        # the values of a label column may be of any type, that is what they are for
        if not isinstance(key, str) and not where.endswith(".values"):
            raise UserError(
                f"{where.removeprefix('.') or 'the study'}: the key {key!r} is not text\n"
                "hint: put it in quotes; YAML reads a bare yes, no or number as another type"
            )
        check_keys(part, f"{where}.{key}")


def resolve(schema: dict, root: dict) -> dict:
    """Follow one `$ref` into `$defs`; siblings of the reference win."""
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**resolve(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}


def fill_defaults(value: Any, schema: dict, root: dict) -> None:  # noqa: ANN401 (any JSON value)
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


def describe(error: ValidationError) -> str:
    """Say what is wrong with a config: where, the value, the choices, a hint."""
    where = ".".join(str(part) for part in error.absolute_path) or "the study"
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(key for key in error.instance if key not in known)[0]
        return f"{where}: unknown key {unknown!r}; known are {', '.join(known)}\n{hint(unknown, known)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return (
            f"{where}: missing {', '.join(map(repr, missing))}; needed are {', '.join(error.validator_value)}\n"
            "hint: config.schema.yaml explains every key"
        )
    if error.validator == "enum":
        choices = [str(choice) for choice in error.validator_value]
        return f"{where}: {error.instance!r} is not one of {', '.join(choices)}\n{hint(error.instance, choices)}"
    if error.validator == "pattern":
        return (
            f"{where}: {error.instance!r} does not match {error.validator_value}\n"
            "hint: names become folders: small letters, digits, '.', '_' and '-', no '/', not starting with '.'"
        )
    return f"{where}: {error.message}\nhint: config.schema.yaml explains every key"


def hint(word: object, choices: list[str]) -> str:
    """Point at the nearest known word, or at the schema."""
    near = difflib.get_close_matches(str(word), choices, n=1)
    return f"hint: did you mean {near[0]!r}?" if near else "hint: config.schema.yaml explains every key"
