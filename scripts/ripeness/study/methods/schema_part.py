"""Write the part of config.schema.yaml that the kinds of tuning define: `kind` and the settings that are not shared.

After a change of a kind: PYTHONPATH=scripts python -m ripeness.study.methods.schema_part (or `make schema`).
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from ripeness.runtime.project import ROOT
from ripeness.study.methods.register import KINDS
from ripeness.study.objectives.register import LEARNED, LEARNS

SCHEMA = ROOT / "config.schema.yaml"
FIRST, LAST = "# kinds of tuning, written by `make schema`", "# end of the kinds"
TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}
WIDTH = 118


def schema_of(hint: Any) -> dict[str, Any]:
    """Return the JSON schema of a type; None as a value is a key that is left out."""
    inner = [one for one in get_args(hint) if one is not NoneType]
    if get_origin(hint) is Literal:
        return {"enum": inner}
    if get_origin(hint) is tuple:
        return {"type": "array"}
    if get_origin(hint) is dict:
        return {"type": "object"}
    return {"type": TYPES[hint]} if hint in TYPES else schema_of(inner[0])


def kinds_part() -> dict[str, Any]:
    """Return the properties of a method that its kind decides: `kind`, and each key of any kind."""
    trained = "; ".join(f"{name}: {kind.trains}" for name, kind in KINDS.items())
    part: dict[str, Any] = {"kind": {"enum": list(KINDS), "description": f"The weights that are trained. {trained}."}}
    for kind in KINDS.values():
        owners = {key: [name for name, other in KINDS.items() if key in other.keys] for key in kind.keys}
        add(part, kind.settings, kind.keys, {key: f"For kind {' and '.join(names)}." for key, names in owners.items()})
    for learned in LEARNED.values():
        owners = {key: [name for name, other in LEARNED.items() if key in other.keys] for key in learned.keys}
        said = {key: f"For learns: {' and '.join(names)}." for key, names in owners.items()}
        for field in fields(learned.settings):  # not a default of the schema, which every method would get
            if field.name in said and field.default not in (MISSING, None):
                said[field.name] = f"Default: {field.default}. {said[field.name]}"
        add(part, learned.settings, learned.keys, said, has_defaults=False)
    return part | {"learns": {"enum": list(LEARNS), "description": learns_description()}}


def learns_description() -> str:
    """Return the description of `learns`: each value with what it is, and the tasks that it needs."""
    values = "; ".join(f"{name}: {means}" for name, means in LEARNS.items())
    needs = " ".join(f"{name} needs tasks of kind {' or '.join(one.kinds)}." for name, one in LEARNED.items())
    return f"What is learned. {values}. {needs} Default: answers."


def add(
    part: dict[str, Any],
    settings: type,
    keys: Mapping[str, Mapping[str, Any]],
    owners: dict[str, str],
    *,
    has_defaults: bool = True,
) -> None:
    """Add the settings that `keys` names to the properties, each with whose it is."""
    hints = get_type_hints(settings)
    for field in (field for field in fields(settings) if field.name in keys):
        said = keys[field.name]
        more = {"default": field.default} if has_defaults and field.default not in (MISSING, None) else {}
        description = f"{said['description']} {owners[field.name]}"
        new = schema_of(hints[field.name]) | more | dict(said) | {"description": description}
        if part.setdefault(field.name, new) != new:
            raise ValueError(f"{field.name} of {settings.__name__} is not that of another kind")


def with_part(text: str) -> str:
    """Return the text of config.schema.yaml with the part of the kinds as it should be."""
    before, _, rest = text.partition(FIRST)
    _, _, after = rest.partition(LAST)
    indent = before.rpartition("\n")[2]
    lines = yaml.safe_dump(kinds_part(), sort_keys=False, width=WIDTH - len(indent), default_flow_style=False)
    return before + "".join(f"{line}\n{indent}" for line in [FIRST, *lines.splitlines()]) + LAST + after


def main(path: Path = SCHEMA) -> None:
    """Write the part into config.schema.yaml."""
    path.write_text(with_part(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
