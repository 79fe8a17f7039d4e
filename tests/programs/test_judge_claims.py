"""The program that tests findings."""

from dataclasses import replace

import polars as pl
import pytest
from planted import (
    AMURO,
    ON_ITEMS,
    as_items,
    limits,
    simulate,
)

import judge_claims
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json


def test_the_program_writes_the_same_findings_twice_and_reads_only_what_was_chosen(tmp_path):
    world = replace(AMURO, n_items=24)
    items = as_items(simulate(world, 0))
    # what was not chosen, or what was chosen on, would turn every finding round
    wrong = items.with_columns(score=1 - pl.col("score"))
    more = [items, wrong.with_columns(is_chosen=False), wrong.with_columns(suite=pl.lit("validation"))]
    limits(world).write_parquet(tmp_path / "measurements.parquet")
    written = []
    for name, table in (("one", items), ("two", items), ("more", pl.concat(more))):
        (tmp_path / name / "run").mkdir(parents=True)
        for (checkpoint,), part in table.partition_by("checkpoint", as_dict=True).items():
            part.write_parquet(tmp_path / name / "run" / f"{checkpoint}.parquet")
        arguments = {"--measurements": tmp_path / "measurements.parquet", "--items": tmp_path / name}
        arguments |= {"--output": tmp_path / f"{name}.json", "--settings": '{"draws": 200, "smallest_effect": 0.02}'}
        judge_claims.main([str(word) for pair in arguments.items() for word in pair])
        written.append((tmp_path / f"{name}.json").read_text())
    assert written[0] == written[1] == written[2]
    ripe, told, *findings = read_json(tmp_path / "one.json")
    assert told["id"] == "indicators" and {row["indicator"] for row in told["answers"]} >= {"tokens", "score, 0 shots"}
    assert ripe["id"] == "ripe" and "no validation items were measured" in ripe["statement"]
    assert [finding["id"] for finding in findings] == ON_ITEMS
    assert findings[1]["details"][0]["level"] == "groups"
    assert all(finding["p_holm"] >= finding["p_value"] for finding in findings if finding["p_value"] is not None)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match="(?s)there is no file.*the rule `collect` writes it"):
        judge_claims.main(["--measurements", str(tmp_path / "m"), "--items", "x", "--output", str(tmp_path / "o")])
