"""Write the schemas as pages that explain every key; the documentation site has them under reference/."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ripeness.runtime.project import ROOT
from ripeness.study.schema import read_schema, resolve

SCHEMAS = ("config.schema.yaml", "task.schema.yaml", "series.schema.yaml")
WORDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "array": "list",
    "object": "mapping",
    "boolean": "`true` or `false`",
    "null": "nothing",
}
SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
CODE = re.compile(r"(`[^`]*`)")
PAGE = re.compile(r"\bdocs/([\w/]+\.md)")
SIGN = re.compile(r"([\\*_\[\]>|{}#])")
Schema = dict[str, Any]


def page_of(name: str) -> str:
    """Return the place of a schema's page in the site, such as reference/config.md."""
    return f"reference/{name.removesuffix('.schema.yaml')}.md"


def page(path: Path) -> str:
    """Write the page of a schema: a table of the keys of every mapping in it, the outer ones first."""
    root = read_schema(path)
    made = f"Made from `{path.relative_to(ROOT)}`. `NAME` is any name, `[]` any element of a list."
    written = f"# {root['title']}\n\n{words(root['description'])}\n\n{made}\n"
    for place, schema in mappings("", root, root, set()):
        written += f"\n## {f'`{place}`' if place else 'The file'}\n\n"
        said = words(schema.get("description", ""))
        if said not in written:  # in the row of its key
            written += f"{said}\n\n"
        written += f"{table(place, schema, root)}\n"
    return written


def mappings(place: str, schema: Schema, root: Schema, seen: set[str]) -> Iterator[tuple[str, Schema]]:
    """Yield the place and the schema of every mapping that has keys; one of several places is explained once."""
    shared = schema.get("$ref")
    if shared in seen:
        return
    if shared:
        seen.add(shared)
    schema = resolve({"$ref": shared} if shared else schema, root)  # what it is at all places
    if "properties" in schema:
        yield place, schema
    for step, part in parts(schema):
        yield from mappings(joined(place, step), part, root, seen)


def parts(schema: Schema) -> list[tuple[str, Schema]]:
    """List what is inside a value, by the step that leads there: a key, `NAME` of any name, `[]` of any element."""
    inner = list(schema.get("properties", {}).items())
    inner += [("NAME", part) for part in [schema.get("additionalProperties")] if isinstance(part, dict)]
    inner += [("[]", part) for part in [schema.get("items")] if isinstance(part, dict)]
    return inner + [("", part) for part in schema.get("anyOf", [])]


def joined(place: str, step: str) -> str:
    """Append a step to a place."""
    return place + step if step in ("", "[]") or not place else f"{place}.{step}"


def table(place: str, schema: Schema, root: Schema) -> str:
    """Write the keys of a mapping: what each may be, its default, what it means."""
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    needed = schema.get("required", [])
    for key, part in schema["properties"].items():
        full = resolve(part, root)
        default = f"`{plain(full['default'])}`" if "default" in full else "required" if key in needed else ""
        value = values(joined(place, key), part, root)
        rows.append(f"| `{key}` | {value} | {default} | {' '.join(meanings(full, root))} |")
    other = schema.get("additionalProperties")
    if isinstance(other, dict):
        meaning = words(resolve(other, root).get("description", ""))
        rows.append(f"| any other name | {values(joined(place, 'NAME'), other, root)} | | {meaning} |")
    return "\n".join(rows)


def meanings(schema: Schema, root: Schema) -> Iterator[str]:
    """Yield the description of a value, and that of its elements where they have no table of their own."""
    yield words(schema.get("description", ""))
    for step, part in parts(schema):
        inner = resolve(part, root)
        if step in ("NAME", "[]") and "description" in inner and "properties" not in schema | inner:
            yield f"Each: {words(inner['description'])}"


def values(place: str, schema: Schema, root: Schema) -> str:
    """Say what a value may be."""
    full = resolve(schema, root)
    if "anyOf" in full:
        return " or ".join(values(place, part, root) for part in full["anyOf"])
    if "enum" in full or "const" in full:
        return ", ".join(f"`{plain(one)}`" for one in full.get("enum", [full.get("const")]))
    kinds = full.get("type", "object")
    return " or ".join(of_kind(kind, place, full, root) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def of_kind(kind: str, place: str, schema: Schema, root: Schema) -> str:
    """Say what a value of one type may be; a mapping with keys links to its table."""
    if kind == "object" and "properties" in schema:
        return f"[mapping](#{anchor(place, schema, root)})"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"by name: {values(joined(place, 'NAME'), schema['additionalProperties'], root)}"
    if kind == "array" and isinstance(schema.get("items"), dict):
        return f"list of: {values(place + '[]', schema['items'], root)}"
    limits = [f"{sign} {schema[key]:,}" for key, sign in SIGNS.items() if key in schema]
    return f"{WORDS[kind]} {' and '.join(limits)}" if limits and kind in ("integer", "number") else WORDS[kind]


def anchor(place: str, schema: Schema, root: Schema) -> str:
    """Return the anchor of the table of a mapping: the one at its place, or the first with its keys."""
    tables = dict(mappings("", root, root, set()))
    if place not in tables:
        place = next(first for first, other in tables.items() if other["properties"] == schema["properties"])
    return re.sub(r"[^\w-]", "", place.lower())


def plain(value: Any) -> str:
    """Write a value of a schema on one line, as YAML has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {plain(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(plain(part) for part in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if str(value).strip() else repr(value).replace("'", '"')


def words(text: str) -> str:
    """Return a description as one line of Markdown in which only code is marked, and pages of docs/ are linked."""
    pieces = CODE.split(" ".join(text.split()))
    marked = [piece if piece.startswith("`") else SIGN.sub(r"\\\1", piece).replace("<", "&lt;") for piece in pieces]
    return PAGE.sub(r"[\1](../\1)", "".join(marked))
