"""What untouched models know and do not say, and what tuning adds to it, on studies whose truth is planted."""

from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
import pytest
from planted import AMURO, QUICK, block, limits

from ripeness.findings.deciding import adjusted
from ripeness.findings.known_not_said.claim import CLAIM as KNOWN
from ripeness.findings.linear_reading import CEILING, reading_method, tuning_method
from ripeness.findings.scores import Point, Row, Scores
from ripeness.findings.study_tables import Tables
from ripeness.findings.tuning_adds.claim import CLAIM as ADDS
from ripeness.tables.columns import CELLS, IS_CHOSEN, conform

CLAIMS = {claim.id: claim for claim in (KNOWN, ADDS)}


def study(read: float, tuned: float, *, names=tuple("abcdef"), n_seeds=2, scatter=0.01, seed=0) -> Tables:
    """Draw scores of models that are read off and tuned, by how much these are above the untouched 0.5."""
    rng = np.random.default_rng(seed)
    points = [Point("run", f"step{k}", k, 1000 * 4**k if k else 0, "stable", 0) for k in range(6)]
    blocks = {}
    for probe in names:
        rows, expected = [Row("run", f"step{k}", probe, "default", "base", 0, "default") for k in range(6)], [0.5] * 6
        moved = scatter * rng.standard_normal(2)
        for k, seed_, (name, gain) in product(range(6), range(n_seeds), (("read", read), ("full", tuned))):
            rows.append(Row("run", f"step{k}", probe, "default", name, seed_, "default"))
            expected.append(0.5 + gain + moved[int(name == "full")] + scatter * rng.standard_normal())
        blocks[probe, "test"] = block(rng, probe, "choice", rows, np.clip(expected, 0, 1), 400)
    kinds = {"read": "features", "full": "full"}
    cells = [
        row._asdict() | {"kind": kinds[row.method], "status": "done", "tokens": 1, "phase": "stable"}
        for one in blocks.values()
        for row in one.rows
        if row.method in kinds
    ]
    cells = [{key: value for key, value in cell.items() if key in CELLS} for cell in cells]
    tables = {"measurements": limits(replace(AMURO, kinds=dict.fromkeys(names, "choice")))}
    return Tables.of(**tables, cells=conform(cells, CELLS | IS_CHOSEN), scores=Scores({"run": points}, blocks))


def judged(tables: Tables) -> dict:
    found = adjusted([claim.test(tables, QUICK) for claim in CLAIMS.values()], QUICK)
    return {one.id: one for one in found}


@pytest.mark.parametrize(
    ("read", "tuned", "known", "adds"),
    [
        (0.2, 0.4, "supported", "supported"),
        (0.3, 0.3, "supported", "too small to matter"),
        (-0.2, 0.2, "reversed", "supported"),
        (0.35, 0.1, "supported", "reversed"),
    ],
)
def test_what_is_known_and_what_is_added_are_found_in_both_directions(read, tuned, known, adds):
    found = judged(study(read, tuned))
    assert {name: one.verdict for name, one in found.items()} == {"known-not-said": known, "tuning-adds": adds}
    for name, effect in (("known-not-said", read), ("tuning-adds", tuned - read)):
        one = found[name]
        assert one.effect == pytest.approx(effect, abs=0.03) and one.low < effect < one.high
        assert CEILING in one.caveats and one.n_items == 2400 and one.n_checkpoints == 6
    assert found["known-not-said"].statement.startswith(
        "Score of a linear classifier on the states of untouched models"
    )
    assert "On datasets like these: " in found["tuning-adds"].statement


def test_one_seed_or_dataset_decides_nothing_and_the_numbers_stay():
    for tables in (study(0.2, 0.4, n_seeds=1), study(0.2, 0.4, names=("a",))):
        one = judged(tables)["tuning-adds"]
        assert one.verdict == "undecided" and one.statement.startswith("Cannot be decided: ")
        assert one.effect == pytest.approx(0.2, abs=0.06) and "On these datasets: " in one.statement


def test_without_a_reading_the_claims_are_not_tested():
    tables = study(0.2, 0.4)
    cells = tables.cells.with_columns(kind=pl.lit("full"))
    assert KNOWN.form_for(Tables.of(cells=cells, scores=tables.scores, measurements=tables.measurements)) is None
    assert KNOWN.form_for(tables) and ADDS.form_for(tables)


@pytest.mark.release
def test_coverage_and_false_support_at_the_edge():
    """Of 30 drawn studies whose effect is the smallest that matters, few are supported."""
    found = [judged(study(0.02, 0.04, seed=seed))["known-not-said"] for seed in range(30)]
    assert sum(one.verdict == "supported" for one in found) <= 3
    assert sum(one.low < 0.02 < one.high for one in found) >= 26


WAYS = {
    "adapter": {"kind": "adapter"},
    "after": {"kind": "full", "start": "sft"},
    "layer": {"kind": "head"},
    "read-after": {"kind": "features", "start": "sft"},
    "read-n128": {"kind": "features", "examples": 128, "doses_of": "read"},
    "read-n32": {"kind": "features", "examples": 32, "doses_of": "read"},
    "sft": {"kind": "full"},
}


def compared(*names: str, wanted: str = "full") -> tuple[str | None, str | None]:
    """Name what is read off, and what is tuned, of a study with these methods."""
    tables = Tables.of(cells=conform([{"method": "base"}, *({"method": n} | WAYS[n] for n in names)], CELLS))
    return reading_method(tables), tuning_method(tables, replace(QUICK, method=wanted))


def test_what_is_read_off_are_untouched_models_and_what_is_tuned_is_no_map_to_labels():
    assert compared(*WAYS) == ("read-n128", "sft")  # the largest dose, from the checkpoint; of kind full
    assert compared(*WAYS, wanted="adapter") == ("read-n128", "adapter")
    assert compared(*WAYS, wanted="layer") == ("read-n128", "sft")
    assert compared("adapter", "after", "layer") == (None, "after")
    assert compared("adapter", "layer", "read-after") == (None, "adapter")
    assert compared("layer", "read-n32") == ("read-n32", None)
    for name, form in (("read-after", None), ("read-n32", KNOWN.judge)):
        only = Tables.of(cells=conform([{"method": name} | WAYS[name]], CELLS), scores="not read")
        assert KNOWN.form_for(only) == form
