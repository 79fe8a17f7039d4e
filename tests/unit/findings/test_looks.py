"""Looks at growing results share the allowed error."""

import json

import numpy as np
import polars as pl
import pytest
from overtrained import BRITTLE, planted

import judge_claims
from ripeness.findings import looks
from ripeness.findings.deciding import adjusted, levels_of
from ripeness.findings.finding import Finding, Settings, with_parts
from ripeness.findings.study_tables import Tables
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.stats.resampling import with_interval
from ripeness.stats.verdicts import EFFECT, Part
from ripeness.tables.columns import MEASUREMENTS, conform

STUDY = planted(BRITTLE)
TABLE = STUDY.measurements


MINE = {"claim": "It gains.", "compare": {"method": "full"}, "against": {"method": "base"}, "metric": "score"}
MINE |= {"of": "level", "direction": "more", "expects": "effect", "smallest": 0.02}


def drawn(n_checkpoints: int) -> pl.DataFrame:
    """Make a published table of three datasets before and after tuning."""
    rows = [
        {
            "series": "s",
            "checkpoint": f"c{k}",
            "step": k,
            "tokens": 1000 * 2**k,
            "phase": "stable",
            "metric": "accuracy",
        }
        | {"dataset": name, "format": "default", "probe": name, "probe_kind": "choice", "probe_format": "default"}
        | {"method": method, "shots": 0, "split": "test", "is_primary": True, "se": 0.01, "suite": "own dataset"}
        | {"value": 0.5 + 0.01 * k + (0.1 + 0.02 * number if method == "full" else 0.0)}
        for k in range(n_checkpoints)
        for number, name in enumerate("abc")
        for method in ("base", "full")
    ]
    return conform(rows, MEASUREMENTS).with_columns(is_chosen=True)


def tables(change=None) -> Tables:
    return Tables.of(measurements=TABLE if change is None else change(TABLE))


def claim(effect):
    return with_parts(
        Finding(id="one"), [[Part(with_interval(effect, 0.01, df=1000, confidence=0.95), 0.02, EFFECT)]], Settings()
    )


def test_a_claim_is_decided_at_what_its_look_may_spend():
    first, second, planned = (Settings(look=1), Settings(look=2), Settings(look=2, looks=2))
    for settings, share in ((Settings(), 1.0), (first, 0.8), (second, 0.1), (planned, 0.5)):
        (found,) = adjusted([claim(0.045)], settings)
        assert found.decided_confidence == pytest.approx(1 - 0.05 * share)
        assert found.p_holm == pytest.approx(found.p_value / share)
        assert (found.verdict == "supported") == (found.p_holm <= 0.05) == (found.decided_low > 0.02)
        assert levels_of([claim(0.045)], settings) == [pytest.approx(0.05 * share)]
        assert found.confidence == 0.95  # of the interval that is shown next to it
    assert adjusted([claim(0.045)], first)[0].verdict == "supported"
    assert adjusted([claim(0.045)], second)[0].verdict == "undecided"


def test_after_the_last_planned_look_nothing_is_decided_and_that_is_said():
    (found,) = adjusted([claim(0.5)], Settings(look=3, looks=2))
    assert (found.verdict, found.p_holm, found.effect) == ("undecided", None, 0.5)
    assert "all looks that were planned" in found.statement
    said = looks.as_entry([{"looked_at": "t", "n_checkpoints": 1}] * 3, Settings(look=3, looks=2))
    assert "no claim can be decided any more" in said["statement"]
    assert [row["level"] for row in said["answers"]] == [0.025, 0.025, 0.0]


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        (lambda frame: frame.sample(fraction=1, shuffle=True, seed=1), False),
        (lambda frame: frame.with_columns(value=pl.col("value") * (1 + 1e-12)), False),
        (lambda frame: frame.with_columns(study=pl.lit("other"), source=pl.lit("elsewhere")), False),
        (lambda frame: frame.with_columns(of_a_later_version=pl.lit(1.0), reason=pl.lit("said otherwise")), False),
        (lambda frame: pl.concat([frame, frame.with_columns(suite=pl.lit("second"))]), False),
        (lambda frame: frame.with_columns(is_chosen=pl.lit(False)), True),
        (
            lambda frame: pl.concat([frame, frame.with_columns(is_chosen=pl.lit(False), learning_rate=pl.lit(0.5))]),
            True,
        ),
        (lambda frame: frame.with_columns(value=pl.col("value") + 0.001), True),
        (lambda frame: frame.head(frame.height - 1), True),
        (lambda frame: frame.with_columns(checkpoint=pl.lit("new")), True),
    ],
)
def test_other_numbers_are_another_look_and_other_names_or_last_bits_are_not(change, is_other):
    assert (looks.digest_of(tables(change)) != looks.digest_of(tables())) == is_other


@pytest.mark.parametrize("shares", [np.arange(1, 129) / 128, np.arange(1, 641) / 640, np.arange(1, 1001) / 2000])
def test_the_last_bit_of_a_share_of_items_makes_no_other_look(shares):
    """65/128 = 0.5078125 is between two numbers of six digits; a sum in another order may end a bit below it."""
    rows = pl.concat([TABLE] * 4).head(len(shares)).with_columns(seed=pl.int_range(pl.len()))
    digests = {
        looks.digest_of(Tables.of(measurements=rows.with_columns(value=pl.Series(values))))
        for values in (shares, np.nextafter(shares, 0), np.nextafter(shares, 1))
    }
    assert len(digests) == 1


def test_minus_zero_is_zero():
    zero, minus = (tables(lambda frame, sign=sign: frame.with_columns(value=pl.lit(sign * 0.0))) for sign in (1, -1))
    assert looks.digest_of(zero) == looks.digest_of(minus)


def test_tables_of_perturbed_weights_count_too():
    moved = STUDY.sensitivity.with_columns(pl.col("loss") + 0.01)
    assert looks.digest_of(STUDY) == looks.digest_of(planted(BRITTLE))
    assert looks.digest_of(STUDY) != looks.digest_of(Tables.of(measurements=TABLE, sensitivity=moved))


def test_looks_are_kept_and_earlier_results_are_the_earlier_look(tmp_path):
    path = tmp_path / "looks.json"
    less = tables(lambda frame: frame.head(frame.height - 1))
    assert len(looks.noted(path, tables())) == len(looks.noted(path, tables())) == 1
    seen = looks.noted(path, less)
    assert len(seen) == len(read_json(path, list)) == 2
    assert [looks.at_this_look(Settings(), seen, each).look for each in (tables(), less)] == [1, 2]
    assert "Look 1 at results that differ; there were 2 in all" in looks.statement(Settings(look=1), 2)


@pytest.mark.parametrize("text", ["[", "{}", "[1]", '[{"looked_at": "t", "n_checkpoints": 1}]'])
def test_a_damaged_record_is_named(tmp_path, text):
    path = tmp_path / "looks.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"looks\.json.*\n?.*move it back"):
        looks.noted(path, tables())


def test_results_on_which_nothing_can_be_decided_are_no_look(tmp_path):
    """Two checkpoints decide nothing; the third is the first look, since indicators are tested on it."""
    words = ["--looks", tmp_path / "looks.json", "--output", tmp_path / "findings.json"]
    words += ["--measurements", tmp_path / "measurements.parquet", "--claims", json.dumps({"mine": MINE})]
    said = []
    for n in (1, 2, 3, 4):
        drawn(n).write_parquet(tmp_path / "measurements.parquet")
        judge_claims.main([*map(str, words)])
        found = {entry["id"]: entry for entry in read_json(tmp_path / "findings.json", list)}
        assert (found["mine"]["p_holm"] is None) == (n < 4) and ("indicators" in found) == (n > 2)
        said.append((len(found["looks"]["answers"]), found["looks"]["statement"]))
    assert [n_looks for n_looks, _ in said] == [0, 0, 1, 2]
    assert all("count as no look: the next look is at a level of 4 %" in statement for _, statement in said[:2])
    assert said[2][1].startswith("Look 1 at") and said[3][1].startswith("Look 2 at")


def test_the_program_decides_later_looks_more_strictly(tmp_path):
    table = drawn(5)
    words = ["--claims", json.dumps({"mine": MINE}), "--looks", tmp_path / "looks.json"]
    words += ["--output", tmp_path / "findings.json", "--measurements", tmp_path / "measurements.parquet"]
    found = []
    for part in (table.head(24), table, table):
        part.write_parquet(tmp_path / "measurements.parquet")
        judge_claims.main([*map(str, words)])
        found.append({entry["id"]: entry for entry in read_json(tmp_path / "findings.json", list)})
    assert found[1] == found[2]
    for place, share in ((0, 0.8), (1, 0.1)):
        assert f"Look {place + 1} at" in found[place]["looks"]["statement"]
        levels = [row["level"] for row in found[place]["looks"]["answers"]]
        assert levels == pytest.approx([0.04, 0.005][: place + 1])
        tested = [entry for entry in found[place].values() if entry.get("p_holm") is not None]
        assert min(entry["p_holm"] for entry in tested) == pytest.approx(
            len(tested) * min(entry["p_value"] for entry in tested) / share
        )
