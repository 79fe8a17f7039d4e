"""The pages of keys have every key of the three schemas, with what it may be and its default."""

import re

import pytest
import yaml

from ripeness.runtime.project import ROOT
from ripeness.study import reference

ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def mappings_in(value):
    """Keys of every mapping that a schema describes, found without regard to how its parts refer to each other."""
    if isinstance(value, list):
        return [keys for part in value for keys in mappings_in(part)]
    if not isinstance(value, dict):
        return []
    here = [list(value["properties"])] if isinstance(value.get("properties"), dict) else []
    inner = [part for key, part in value.items() if key not in ("if", "dependentRequired")]
    return here + [keys for part in inner for keys in mappings_in(part)]


def tables(page):
    return [ROW.findall(section) for section in page.split("\n## ")[1:]]


@pytest.mark.parametrize("name", reference.SCHEMAS)
def test_every_mapping_of_a_schema_has_one_table_with_its_keys(name):
    expected = mappings_in(yaml.safe_load((ROOT / name).read_text()))
    assert sorted(tables(reference.page(ROOT / name))) == sorted(expected)


def test_all_schemas_of_the_project_have_a_page():
    assert set(reference.SCHEMAS) == {path.name for path in ROOT.glob("*.schema.yaml")}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page of a small schema in which each way of writing a value occurs."""
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    (tmp_path / "small.schema.yaml").write_text(r"""
title: A thing
description: See docs/study.md, and *not* a `a|b*`.
required: [rate]
properties:
  rate:
    {description: "A | b <x>.", type: [number, array], exclusiveMinimum: 0, maximum: 1, items: {$ref: "#/$defs/one"}}
  mode: {enum: [fast, slow], default: fast}
  stop: {type: string, default: "\n"}
  parts: {type: object, additionalProperties: {$ref: "#/$defs/part"}}
  other: {anyOf: [{type: string}, {$ref: "#/$defs/part"}]}
$defs:
  one: {type: number, description: One rate.}
  part:
    description: A part.
    type: object
    properties: {n: {type: integer, minimum: 1000}, deep: {$ref: "#/$defs/deep"}}
  deep: {type: object, properties: {is_on: {type: boolean, default: true}}, additionalProperties: {type: "null"}}
""")
    return reference.page(tmp_path / "small.schema.yaml")


@pytest.mark.parametrize(
    "line",
    [
        "| `rate` | number > 0 and ≤ 1 or list of: number | required | A \\| b &lt;x\\>. Each: One rate. |",
        "| `mode` | `fast`, `slow` | `fast` |  |",
        '| `stop` | text | `"\\n"` |  |',
        "| `parts` | by name: [mapping](#partsname) |  |  |",
        "| `other` | text or [mapping](#partsname) |  |  |",
        "| `n` | whole number ≥ 1,000 |  |  |",
        "| `deep` | [mapping](#partsnamedeep) |  |  |",
        "| `is_on` | `true` or `false` | `true` |  |",
        "| any other name | nothing | |  |",
        "See [study.md](../study.md), and \\*not\\* a `a|b*`.",
    ],
)
def test_a_row_says_what_a_value_may_be(page, line):
    assert line in page.splitlines()


def test_what_several_keys_share_is_explained_once(page):
    assert "## `parts.NAME`\n\nA part.\n\n| key" in page and "Each: A part" not in page
    assert re.findall("^## (.*)", page, re.MULTILINE) == ["The file", "`parts.NAME`", "`parts.NAME.deep`"]
