"""What pre-training teaches, on studies whose truth is planted."""

from dataclasses import replace

import numpy as np
from planted import AMURO, CLAIM_OF, QUICK, World, found, simulate, tables_of

from ripeness.findings.scores import Scores


def test_one_dataset_shows_no_two_kinds_in_however_many_series():
    world = replace(AMURO, kinds={"sentiment": "choice"})
    scores = simulate(world, 1)
    again = {
        key: replace(one, rows=[row._replace(series="again") for row in one.rows]) for key, one in scores.blocks.items()
    }
    blocks = {
        key: replace(one, rows=one.rows + again[key].rows, values=np.concatenate([one.values, 0 * one.values]))
        for key, one in scores.blocks.items()
    }
    points = scores.checkpoints["run"]
    both = {"run": points, "again": [point._replace(series="again") for point in points]}
    finding = found(world, Scores(both, blocks))["learned-in-pretraining"]
    assert {(row["series"], row["class"]) for row in finding.details} == {("run", "learned"), ("again", "never")}
    assert finding.verdict == "undecided" and "one dataset cannot show that there are two kinds. " in finding.statement
    assert finding.effect is None and "Of 2 trajectories of 1 dataset (" in finding.statement


def test_datasets_are_sorted_as_planted_with_the_numbers_in_the_sentence():
    finding = found(AMURO, simulate(AMURO, 3))["learned-in-pretraining"]
    assert {row["dataset"]: row["class"] for row in finding.details} == {
        "sentiment": "learned",
        "summary": "learned",
        "classes": "never",
    }
    rows = {row["dataset"]: row for row in finding.details}
    assert rows["summary"]["floor_name"] == "first checkpoint"
    assert f"sentiment {rows['sentiment']['late']:.2f} against 0.50" in finding.statement


def test_a_dataset_that_starts_high_is_not_called_learned():
    world = replace(AMURO, base=AMURO.base | {"classes": [0.9] * 6})
    finding = found(world, simulate(world, 1))["learned-in-pretraining"]
    assert {row["dataset"]: row["class"] for row in finding.details}["classes"] == "high from the start"
    assert finding.verdict == "undecided"


def classes(world: World, seed: int, scores: Scores | None = None) -> dict[str, str]:
    tables = tables_of(world, scores or simulate(world, seed))
    finding = CLAIM_OF["learned-in-pretraining"].test(tables, QUICK)
    return {row["dataset"]: row["class"] for row in finding.details}


def test_what_emerges_late_is_not_called_never_learned():
    late = replace(AMURO, base=AMURO.base | {"sentiment": [0.5] * 5 + [0.85]}, n_items=1000)
    assert "never" not in [classes(late, seed)["sentiment"] for seed in range(6)]


def test_generated_answers_of_a_trained_first_checkpoint_have_no_class():
    """They may have been learned before it; a score that is all but 0 cannot have been."""
    world = replace(AMURO, base=AMURO.base | {"summary": [0.38, 0.38, 0.39, 0.4, 0.42, 0.42]})
    known = simulate(world, 0)
    trained = [point._replace(tokens=point.tokens + 1) for point in known.checkpoints["run"]]
    started = Scores({"run": trained}, known.blocks)
    assert classes(world, 0, known)["summary"] == "never"
    assert classes(world, 0, started)["summary"] == "unclear"
    nothing = replace(AMURO, base=AMURO.base | {"summary": [0.01] * 6})
    scores = simulate(nothing, 0)
    assert classes(nothing, 0, Scores({"run": trained}, scores.blocks))["summary"] == "never"
    finding = CLAIM_OF["learned-in-pretraining"].test(tables_of(world, started), QUICK)
    assert any(caveat.startswith("summary without a class") for caveat in finding.caveats)
    gain = CLAIM_OF["gain-by-learning"].test(tables_of(world, started), QUICK)
    assert not any(row.get("dataset") == "summary" for row in gain.details)
    assert any(caveat.startswith("Left out") and caveat.endswith(": summary.") for caveat in gain.caveats)


def test_one_format_does_not_class_a_dataset():
    """All are 0.12 above the floor in the mean of two formats that are 0.2 apart."""
    base = dict.fromkeys(AMURO.kinds, [0.5, 0.5, 0.6, 0.62, 0.62, 0.62])
    world = replace(AMURO, base=base, format_effect=[0.0, 0.0, 0.1, 0.1, 0.1, 0.1], n_items=400)
    found_ = [kind for seed in range(4) for name, kind in classes(world, seed).items() if name != "summary"]
    assert "never" not in found_ and found_.count("learned") <= 2
