"""What smaller ways of tuning forget at an equal gain, on planted losses."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from overtrained import SETTINGS

from ripeness.findings.deciding import adjusted
from ripeness.findings.equal_losses import Path
from ripeness.findings.smaller_forgets_less.claim import CLAIM
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, MEASUREMENTS, conform
from ripeness.tables.ways_of_tuning import smaller_methods

RATES = (1e-4, 3e-4, 1e-3)
LEARNED = {1e-4: 0.5, 3e-4: 1.0, 1e-3: 0.8}  # nats of the answer loss; the largest rate destroys
SIZES = {"full": 1000, "small": 10, "tiny": 5}
PROSE = {"probe": "prose", "probe_kind": "text", "probe_format": "text", "metric": "loss", "split": None}


def study(price: float, *, learns=0.8, rates=RATES, datasets=3, n=8, seed=0, scatter=0.0) -> Tables:
    """Draw losses: full tuning pays 0.2 nats of text for a nat of answers, smaller ways `price` less.

    Smaller ways learn the share `learns` of what full tuning does at each rate.
    """
    rng = np.random.default_rng(seed)
    moved = scatter * rng.standard_normal((n, datasets))
    rows, cells = [], []
    for k, d in product(range(n), range(datasets)):
        place = {"study": "drawn", "series": "run", "checkpoint": f"step{k}", "step": k, "tokens": 1000 * 2**k}
        place |= {"phase": "stable", "pretraining_seed": 0, "lr": 1e-3, "is_chosen": True, "suite": "s", "shots": 0}
        own = {"probe": f"set{d}", "probe_kind": "choice", "probe_format": "default", "metric": "answer_loss"}
        own |= {"split": "test"}
        base = {"method": "base", "seed": 0}
        rows += [place | base | PROSE | {"value": 3.0}, place | base | own | {"value": 2.0}]
        for seed_, (name, size), rate in product((1, 2, 3), SIZES.items(), rates):
            full = name == "full"
            learned = LEARNED[rate] * (1.0 if full else learns)
            paid = 0.2 if full else 0.2 - price - moved[k, d]
            text = 3 + learned * paid + 0.002 * rng.standard_normal()
            cell = {"dataset": f"set{d}", "format": "default", "method": name, "learning_rate": rate, "seed": seed_}
            rows += [place | cell | PROSE | {"value": text}, place | cell | own | {"value": 2 - learned}]
            facts = {"kind": name, "trainable_parameters": size, "status": "done"}
            cells.append({key: value for key, value in (place | cell | facts).items() if key in CELLS | IS_CHOSEN})
    return Tables.of(measurements=conform(rows, MEASUREMENTS | IS_CHOSEN), cells=conform(cells, CELLS | IS_CHOSEN))


def judged(tables: Tables):
    return adjusted([CLAIM.worded(CLAIM.judge(tables, SETTINGS))], SETTINGS)[0]


@pytest.mark.parametrize(("price", "verdict"), [(0.1, "supported"), (-0.1, "reversed"), (0.0, "too small to matter")])
def test_what_is_kept_at_an_equal_gain_is_found_in_both_directions(price, verdict):
    """Small ways learn 0.8 of what full tuning does, so that both are held at 0.8 nats: 0.8 times the price."""
    one = judged(study(price))
    assert (one.verdict, one.smallest) == (verdict, 0.02)
    assert one.effect == pytest.approx(0.8 * price, abs=0.005) and one.low < one.effect < one.high
    assert [row["method"] for row in one.details] == ["small", "tiny"]
    assert one.n_checkpoints == 4 and one.n_seeds == 3 and "3 datasets" in one.covers


def test_the_untouched_model_is_held_on_the_same_texts_and_shots_as_the_tuned_ones():
    """With shots it answers better, and a second text, which few tuned models read, is harder."""
    alone = study(0.1)
    untouched = alone.measurements.filter(method="base")
    shots = untouched.filter(metric="answer_loss").with_columns(shots=4, value=pl.lit(0.1))
    text = untouched.filter(metric="loss").with_columns(probe=pl.lit("verse"), value=pl.lit(9.0))
    more = pl.concat([alone.measurements, shots.cast(alone.measurements.schema), text])
    one, other = judged(alone), judged(Tables.of(measurements=more, cells=alone.cells))
    assert (other.effect, other.low, other.high) == (one.effect, one.low, one.high)
    assert one.effect == pytest.approx(0.08, abs=0.005)


def test_a_training_that_diverged_is_no_point_of_its_path():
    whole = study(0.1)
    is_gone = (pl.col("learning_rate") == 1e-3) & (pl.col("method") == "tiny")
    gone = [whole.measurements.with_columns(value=pl.when(is_gone).then(x).otherwise("value")) for x in (None, np.nan)]
    found = [judged(Tables.of(measurements=one, cells=whole.cells)) for one in gone]
    assert found[0].effect == found[1].effect == pytest.approx(0.08, abs=0.005)


def test_a_way_that_learns_less_at_every_rate_is_not_taken_for_one_that_forgets_less():
    """At its own rates it loses half as much text, since it learns half as much; at an equal gain as much."""
    one = judged(study(0.0, learns=0.5))
    assert one.verdict == "too small to matter" and one.effect == pytest.approx(0.0, abs=0.005)


@pytest.mark.release
def test_the_scatter_of_checkpoints_and_datasets_is_in_the_interval():
    found = [judged(study(0.025, seed=seed, scatter=0.03)) for seed in range(30)]
    assert sum(one.low < 0.02 < one.high for one in found) >= 26
    assert sum(one.verdict == "supported" for one in found) <= 3


def test_one_rate_is_said_and_ways_that_learn_nothing_are_left_out():
    single = judged(study(0.1, rates=(3e-4,)))
    assert any(caveat.startswith("One rate only (full, small and tiny)") for caveat in single.caveats)
    nothing = judged(study(0.1, learns=-0.1))
    assert nothing.verdict == "undecided" and "no two ways reach an equal loss" in nothing.statement
    assert any("144 of 144 pairs are left out" in caveat for caveat in nothing.caveats)


def test_text_is_read_where_the_answers_first_reach_the_target():
    path = Path(np.array([2.0, 1.6, 1.0, 1.2]), np.array([3.0, 3.1, 3.4, 9.0]))
    assert path.best == 1.0
    assert path.text_at(1.6) == pytest.approx(3.1) and path.text_at(1.3) == pytest.approx(3.25)
    assert path.text_at(1.0) == pytest.approx(3.4)  # not the rate that destroys
    assert path.text_at(2.0) is None and path.text_at(0.9) is None
    detour = Path(np.array([2.0, 2.5, 1.0]), np.array([3.0, 5.0, 3.2]))
    assert detour.text_at(1.5) == pytest.approx(3.1)  # from the best before, the untouched model


def test_smaller_ways_train_fewer_numbers_and_start_from_the_checkpoint():
    sizes = {"full": 9, "lora": 2, "twin": 9, "unknown": None, "chained": 1}
    starts = [{"method": name, "start": "full" if name == "chained" else None} for name in sizes]
    rows = [row | {"trainable_parameters": size} for row, size in zip(starts, sizes.values(), strict=True)]
    cells = conform(rows, CELLS)
    assert smaller_methods(cells, "full") == ["lora"]
    assert smaller_methods(cells, "unknown") == smaller_methods(cells, "lora") == []
