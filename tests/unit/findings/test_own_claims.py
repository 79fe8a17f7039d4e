"""Claims of the user on studies whose truth is planted: a contrast, a trend and an equivalence, in both directions."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from planted import QUICK, World, as_items, limits, simulate, tables_of, without

import judge_claims
from ripeness.findings.deciding import adjusted
from ripeness.findings.own_claims import own_findings, read_own_claims
from ripeness.findings.own_design import design_of
from ripeness.findings.own_rows import source_of
from ripeness.findings.own_selection import OwnClaim
from ripeness.findings.register import all_findings
from ripeness.findings.study_tables import Tables
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json, write_json
from ripeness.tables.columns import MEASUREMENTS, conform

NAMES = "abcdef"
RISING = [0.5, 0.5, 0.55, 0.6, 0.65, 0.7]
WORLD = World(
    kinds=dict.fromkeys(NAMES, "choice"),
    base=dict.fromkeys(NAMES, RISING),
    gain=dict(zip(NAMES, (0.1, 0.12, 0.15, 0.18, 0.2, 0.15), strict=True)),
    harm={("choice", "choice"): 0.1},
    seed_sd=0.01,
)
SCORES = simulate(WORLD, 0)
TABLES = tables_of(WORLD, SCORES)
DEFAULTS = {"claim": "So it is.", "metric": "score", "of": "level", "smallest": 0.02, "direction": "more"}
BASE, FULL = {"method": "base"}, {"method": "full"}


def claim_of(**settings) -> OwnClaim:
    return OwnClaim.of_settings("mine", DEFAULTS | {"expects": "effect"} | settings)


def judged(tables=TABLES, **settings):
    return adjusted(own_findings(tables, [claim_of(**settings)], QUICK), QUICK)[0]


@pytest.mark.parametrize(
    ("settings", "verdict", "effect"),
    [
        ({"compare": FULL, "against": BASE}, "supported", 0.15),
        ({"compare": FULL, "against": BASE, "direction": "less"}, "reversed", -0.15),
        ({"compare": BASE, "against": FULL}, "reversed", -0.15),
        ({"compare": BASE, "against": FULL, "direction": "less"}, "supported", 0.15),
        ({"compare": FULL | {"probe": "others"}, "against": BASE}, "reversed", -0.1),
        ({"compare": FULL | {"probe": "others"}, "against": BASE, "direction": "less"}, "supported", 0.1),
        ({"compare": FULL | {"dataset": "e"}, "against": {"dataset": "a"}}, "supported", 0.1),
        ({"compare": FULL | {"dataset": "a"}, "against": {"dataset": "e"}}, "reversed", -0.1),
        ({"compare": BASE | {"checkpoint": "last"}, "against": {"checkpoint": "first"}}, "supported", 0.2),
        ({"compare": FULL | {"checkpoint": "step1"}, "against": {"checkpoint": "last"}}, "reversed", -0.2),
        ({"compare": BASE}, "supported", 0.2),  # over the trained checkpoints
        ({"compare": FULL, "direction": "less"}, "reversed", -0.2),
        ({"compare": FULL, "of": "change", "smallest": 0.1}, "too small to matter", 0.0),
        ({"compare": {"asked_in": "io"}, "against": {"asked_in": "default"}, "smallest": 0.1},
         "too small to matter", 0.0),
        ({"compare": {"format": "io"}, "against": {"format": "default"}, "expects": "no effect", "smallest": 0.05},
         "supported", 0.0),
        ({"compare": FULL, "against": BASE, "expects": "no effect"}, "reversed", 0.15),
        ({"compare": FULL, "against": BASE, "expects": "no harm"}, "reversed", 0.15),
        ({"compare": FULL, "against": BASE, "expects": "no harm", "direction": "less"}, "supported", -0.15),
    ],
)  # fmt: skip
def test_a_planted_effect_is_found_and_turned_round_where_the_claim_is(settings, verdict, effect):
    found = judged(**settings)
    assert (found.verdict, found.id, found.claim) == (verdict, "mine", "So it is.")
    assert found.effect == pytest.approx(effect, abs=0.05) and found.low < effect < found.high
    assert found.smallest == settings.get("smallest", 0.02) and found.expects == settings.get("expects", "effect")
    json.dumps(found.details, allow_nan=False)


def means(keep) -> np.ndarray:
    """The mean scores [datasets, checkpoints] of the models on their own dataset that are kept."""
    found = np.empty((len(NAMES), 6))
    for place, name in enumerate(NAMES):
        block = SCORES.blocks[name, "test"]
        own = [row.dataset == name and row.format == row.probe_format and keep(row) for row in block.rows]
        for k in range(6):
            here = [is_own and row.checkpoint == f"step{k}" for is_own, row in zip(own, block.rows, strict=True)]
            found[place, k] = block.values[here].mean()
    return found


def test_the_effect_is_the_mean_over_matched_pairs_worked_out_by_hand():
    change = means(lambda row: row.method == "full") - means(lambda row: row.method == "base")
    found = judged(compare=FULL, against=BASE)
    assert found.effect == pytest.approx(change.mean())
    rows = {row["dataset"]: row["effect"] for row in found.details if row["level"] == "dataset"}
    assert rows == pytest.approx(dict(zip(NAMES, change.mean(axis=1), strict=True)))
    place = np.log([1000.0 * 4**k for k in range(1, 6)])
    line = np.polyfit(place, change.mean(axis=0)[1:], 1)[0] * np.ptp(place)
    assert judged(compare=FULL, of="change").effect == pytest.approx(line)


def test_a_change_is_paired_with_the_untouched_checkpoint_item_by_item():
    design = design_of(claim_of(compare=FULL, of="change"), [source_of(TABLES, "score", 0, QUICK)])
    (weights,) = design.row_weights()
    rows = design.sides[0].source.rows
    values = dict(rows.select("id", "value").iter_rows())
    assert sum(weight * values[number] for number, weight in weights.items()) == pytest.approx(design.effect)
    asked = dict(rows.select("id", "method").iter_rows())
    assert {asked[number] for number in weights} == {"base", "full"}


def test_a_dataset_that_is_named_is_taken_as_it_is_and_others_are_a_sample():
    named, sampled = judged(compare=FULL | {"dataset": list(NAMES)}, against=BASE), judged(compare=FULL, against=BASE)
    assert named.effect == pytest.approx(sampled.effect)
    assert named.high - named.low < sampled.high - sampled.low
    assert sampled.on_these == pytest.approx(named.on_these) and named.low == pytest.approx(named.on_these["low"])
    assert "datasets are those that the claim names" in named.covers and sampled.covers.startswith("datasets, ")
    alone = tables_of(WORLD, replace(SCORES, blocks={("a", "test"): SCORES.blocks["a", "test"]}))
    assert judged(alone, compare=FULL, against=BASE).statement.startswith("Cannot be decided: one dataset cannot show")
    assert judged(alone, compare=FULL | {"dataset": "a"}, against=BASE).verdict == "supported"


def test_one_seed_few_checkpoints_and_nothing_measured_stay_undecided():
    one = tables_of(WORLD, without(SCORES, lambda row, _: row.seed == 1))
    assert "one seed" in judged(one, compare=FULL, against=BASE).statement
    few = tables_of(WORLD, without(SCORES, lambda row, _: row.checkpoint not in ("step4", "step5")))
    assert "2 checkpoints are too few" in judged(few, compare=FULL, against=BASE).statement
    assert judged(few, compare=FULL | {"checkpoint": "step5"}, against=BASE).verdict == "supported"
    last, first = {"checkpoint": "last"}, {"checkpoint": "first"}
    assert "how much single ones scatter" in judged(few, compare=BASE | last, against=first).statement
    none = judged(compare={"method": "lora"}, against=BASE)
    assert none.statement == "Cannot be decided: nothing that was measured matches: The score, method lora against " \
        "method base." and none.p_value is None  # fmt: skip


def test_rows_without_a_counterpart_are_left_out_and_said():
    holes = tables_of(WORLD, without(SCORES, lambda row, _: row.method == "base" and row.checkpoint == "step2"))
    found = judged(holes, compare=FULL, against=BASE)
    assert found.caveats == ("24 of 144 measurements of `compare` have no counterpart and are left out.",)
    assert found.n_checkpoints == 5


def test_own_claims_count_in_the_correction_of_all():
    own = [claim_of(compare=FULL, against=BASE)]
    alone, among = (all_findings(TABLES, QUICK, claims) for claims in ((), own))
    assert [one.id for one in among] == ["mine", *[one.id for one in alone]]
    counted = [[one.p_value for one in found if one.p_value is not None] for found in (alone, among)]
    assert len(counted[1]) == len(counted[0]) + 1
    first = min((one for one in among if one.p_value is not None), key=lambda one: one.p_value)
    assert first.p_holm == pytest.approx(min(1.0, first.p_value * len(counted[1])))


def test_the_program_reads_claims_and_when_they_were_written(tmp_path):
    items = as_items(SCORES).with_columns(nll=1 - pl.col("score"), n_tokens=pl.lit(2, pl.Int64))
    items.write_parquet(tmp_path / "items.parquet")
    limits(WORLD).write_parquet(tmp_path / "measurements.parquet")
    usual = DEFAULTS | {"expects": "effect"}
    loss = usual | {"metric": "answer_loss", "direction": "less", "smallest": 0.01}
    claims = {"loss": loss | {"compare": FULL, "against": BASE}, "late": usual | {"compare": BASE}}
    version = {"settings": claims["late"], "seen_at": "2026-11-02T10:00:00Z", "had_results": True}
    write_json(tmp_path / "claims.json", {"late": [version]})
    given = {"measurements": tmp_path / "measurements.parquet", "items": tmp_path / "items.parquet"}
    given |= {"settings": '{"draws": 100}', "claims": json.dumps(claims), "written": tmp_path / "claims.json"}
    given |= {"output": tmp_path / "findings.json"}
    judge_claims.main([str(word) for name, value in given.items() for word in (f"--{name}", value)])
    found = {entry["id"]: entry for entry in read_json(tmp_path / "findings.json")}
    assert found["loss"]["verdict"] == "supported" and found["loss"]["effect"] == pytest.approx(0.075, abs=0.02)
    assert found["loss"]["written"] == "no record of when it was written"
    assert found["late"]["statement"].startswith("Written after results were seen, on 2026-11-02. The score from the")
    assert found["gain-by-learning"]["written"] == ""


def test_published_tables_are_compared_by_their_standard_errors_and_their_datasets():
    rows = [
        {"series": "s", "checkpoint": f"c{k}", "step": k, "tokens": 1000 * 2**k, "phase": "stable"}
        | {"dataset": name, "format": "default", "probe": name, "probe_kind": "choice", "probe_format": "default"}
        | {"method": method, "shots": 0, "split": "test", "metric": "accuracy", "is_primary": True, "se": 0.01}
        | {"value": 0.5 + 0.01 * k + (0.1 + 0.02 * number if method == "full" else 0.0), "suite": "own dataset"}
        for k in range(5)
        for number, name in enumerate(NAMES)
        for method in ("base", "full")
    ]
    measured = conform(rows, MEASUREMENTS).with_columns(is_chosen=True)
    tables = Tables.of(measurements=measured)
    found = judged(tables, compare=FULL, against=BASE)
    assert found.verdict == "supported" and found.effect == pytest.approx(0.15)
    named = judged(tables, compare=FULL | {"dataset": "a"}, against=BASE)
    assert named.effect == pytest.approx(0.1)
    assert named.high - named.low == pytest.approx(2 * 1.96 * 0.01 * 2**0.5, rel=1e-3)  # checkpoints share items
    bare = Tables.of(measurements=measured.with_columns(se=pl.lit(None, pl.Float64)))
    assert judged(bare, compare=FULL, against=BASE).verdict == "supported"  # by how much datasets differ
    assert "no standard errors" in judged(bare, compare=FULL | {"dataset": "a"}, against=BASE).statement
    with pytest.raises(UserError, match=r"mine\.compare\.method: no model tuned by 'lroa'; known are base, full"):
        judged(tables, compare={"method": "lroa"}, against=BASE)


def test_a_claim_given_by_hand_that_lacks_a_setting_is_refused_with_all_of_them():
    with pytest.raises(UserError, match=r"claim 'mine' has no of, smallest, direction, expects\nhint: .* give all of"):
        read_own_claims({"mine": {"claim": "x", "compare": {"method": "full"}, "metric": "score"}}, None)
