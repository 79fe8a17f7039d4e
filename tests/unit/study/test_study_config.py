"""The typed config: code can name no key that config.schema.yaml does not have."""

from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from ripeness.study import study_config
from ripeness.study.study_config import (
    Checkpoint,
    ItemSizes,
    Method,
    Pretrain,
    Recipe,
    Sensitivity,
    Series,
    Suite,
    Text,
)

ROOT = Path(__file__).parents[3]
SCHEMA = yaml.safe_load((ROOT / "config.schema.yaml").read_text())
COMPLETED = {"repo", "commit", "by_step"}  # of a checkpoint: what the series and the lock file add
NAMED = {"method", "is_grid", "doses_of"}  # of a recipe: the method that it comes from


def keys_of(schema):
    """All keys that a part of the schema names, in whatever alternative."""
    found = set(schema.get("properties", {}))
    for kind in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(kind, []):
            found |= keys_of(part)
    if "$ref" in schema:
        found |= keys_of(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    for part in ("items", "additionalProperties", "then", "else"):
        if isinstance(schema.get(part), dict):
            found |= keys_of(schema[part])
    return found


def names(kind):
    return set(get_type_hints(kind, vars(study_config)))


@pytest.mark.parametrize(
    ("kind", "place", "more"),
    [
        (Method, SCHEMA["$defs"]["method"], {"shots"}),
        (Recipe, SCHEMA["$defs"]["method"], {"shots"} | NAMED),
        (Checkpoint, SCHEMA["$defs"]["checkpoint"], COMPLETED),
        (Pretrain, SCHEMA["$defs"]["pretrain"], set()),
        (Suite, SCHEMA["$defs"]["suite"], set()),
        (Text, SCHEMA["$defs"]["text"], set()),
        (ItemSizes, SCHEMA["properties"]["items"], set()),
        (Sensitivity, SCHEMA["properties"]["sensitivity"], set()),
        (Series, SCHEMA["$defs"]["series"], {"mapping"}),
    ],
)
def test_every_typed_key_is_one_of_the_schema(kind, place, more):
    assert names(kind) - more <= keys_of(place)


def test_the_config_has_a_field_for_what_the_schema_has():
    known = {field.name for field in fields(study_config.StudyConfig)}
    unread = {"title", "findings", "audit"}  # for the report, the findings, and `acknowledged`
    assert set(SCHEMA["properties"]) - unread <= known
