"""What of untouched checkpoints tells their scores after tuning, on studies whose truth is planted."""

import numpy as np
import polars as pl
import pytest

from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Finding, Settings
from ripeness.findings.indicators.answer import MOST, NOTHING, TELLS, TUNED, as_entry, row_of
from ripeness.findings.indicators.halves import N_HALVINGS, halved
from ripeness.findings.indicators.skills import skills_of
from ripeness.findings.register import CLAIMS
from ripeness.findings.study_tables import Tables
from ripeness.tables.columns import CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, SENSITIVITY, conform

CLAIM_OF = {claim.id: claim for claim in CLAIMS}
DATASETS = ["a", "b", "c", "d"]
ENDS = ("accuracy", "tau", "regret")
N_ITEMS = 60


PROSE = {
    "dataset": "web", "probe": "web", "probe_kind": "text", "metric": "bits_per_byte", "format": "text",
    "probe_format": "text", "shots": 0, "split": "test", "suite": "base", "is_primary": True,
}  # fmt: skip


def scored(who, dataset, split, right, lead):
    """Rows of items: whether each answer is right, and its margin."""
    who |= {"split": split, "learning_rate": None, "suite": "validation" if split == "validation" else "own"}
    return [
        who | {"item": f"{dataset}-{split}-{i}", "score": float(is_right), "margin": float(margin), "nll": 1.0}
        | {"n_tokens": 1, "n_prompt_tokens": 9}
        for i, (is_right, margin) in enumerate(zip(right, lead, strict=True))
    ]  # fmt: skip


def study(seed, *, margin="tells", text="tells", n=10, datasets=DATASETS, methods=("full", "brief"), series="run"):
    """Draw a study of `n` checkpoints and one without tokens; `margin` and `text` tell how well it tunes, or do not.

    An item is as hard for every model, so that scores on the same items go together whatever the checkpoint is.
    """
    rng = np.random.default_rng(seed)
    good, other = rng.normal(size=n + 1), rng.normal(size=n + 1)
    items, measured, cells, perturbed = [], [], [], []
    hard = {(d, s): rng.normal(size=N_ITEMS) for d in datasets for s in ("test", "validation")}
    for k in range(n + 1):
        place = {"series": series, "checkpoint": f"step{k}", "step": k, "tokens": 1000 * k, "lr": 0.1}
        place |= {"phase": "stable", "pretraining_seed": 0, "is_chosen": True}
        loss = 3 - 0.5 * (good if text == "tells" else other)[k]
        measured.append(place | PROSE | {"method": "base", "value": loss})
        items.append(place | PROSE | {"method": "base", "item": "web-1", "n_tokens": 500})
        perturbed += [
            place | {"perturbation": "noise", "normalisation": "init", "scale": size, "noise_seed": 0, "probe": "web"}
            | {"increase": size * (2 - 0.3 * good[k]), "n_tokens": 500}
            for size in (0.1, 1.0)
        ]  # fmt: skip
        for dataset in datasets:
            probe = {"dataset": dataset, "probe": dataset, "probe_kind": "choice", "probe_format": "default"}
            probe |= {"format": "default", "shots": 0}
            margins = {"metric": "margin", "value": 0.0, "split": "test", "suite": "base"}
            measured.append(place | probe | margins | {"method": "base"})
            tuned = {"metric": "accuracy", "value": 0.5, "split": "test", "suite": "own", "is_primary": True}
            measured.append(place | probe | tuned | {"method": "full", "seed": 1})
            for method, level in (("base", 0.0 * good), ("full", good), ("brief", good + 0.3 * other)):
                if method not in ("base", *methods):
                    continue
                for at in (1, 2) if method != "base" else (1,):
                    own = 0.1 * rng.normal()
                    for split in ("test", "validation") if method != "base" else ("test",):
                        said = 0.5 * level[k] + own + hard[dataset, split] + 0.5 * rng.normal(size=N_ITEMS)
                        lead = (good if margin == "tells" else other)[k] + rng.normal(size=N_ITEMS)
                        who = place | probe | {"method": method, "seed": at}
                        items += scored(who, dataset, split, said > 0, lead)
                    n_tokens = {"base": None, "full": 9000, "brief": 900}[method]
                    cells.append(place | probe | {"method": method, "seed": at, "n_tokens": n_tokens, "status": "done"})
    return items, measured, cells, perturbed


def tables(*studies) -> Tables:
    names = {"items": ITEM_SCORES | IS_CHOSEN, "measurements": MEASUREMENTS | IS_CHOSEN, "cells": CELLS | IS_CHOSEN}
    names["sensitivity"] = SENSITIVITY
    found = {}
    for (name, schema), parts in zip(names.items(), zip(*studies, strict=True), strict=True):
        rows = [{key: value for key, value in row.items() if key in schema} for part in parts for row in part]
        found[name] = conform(rows, schema)
    items = [part.lazy() for part in found.pop("items").partition_by("series", "checkpoint")]
    return Tables.of(**found, all_items=items, scores="not read here")


def told(given: Tables) -> dict[str, dict]:
    return {row["indicator"]: row for row in as_entry(skills_of(given, Settings()), Settings())["answers"]}


def judged(name: str, given: Tables) -> Finding:
    return adjusted([CLAIM_OF[name].test(given, Settings())], Settings())[0]


def verdicts(names: list[str], seeds: range, **truth) -> dict[str, list[str]]:
    found = [tables(study(seed, n=12, **truth)) for seed in seeds]
    return {name: [judged(name, given).verdict for given in found] for name in names}


@pytest.fixture(scope="module")
def telling() -> Tables:
    return tables(study(2, n=16, margin="nothing"))


def test_indicators_that_predict_are_distinguished_from_those_that_do_not(telling):
    found = told(telling)
    by_verdict = {says: {name for name, row in found.items() if row["says"] == says} for says in (TELLS, NOTHING)}
    assert by_verdict[TELLS] == {"loss on text", "noise (init)", "short tuning (brief)"}
    assert by_verdict[NOTHING] >= {"margin", "tokens", "score, 0 shots"}
    assert found[TUNED]["says"] == MOST and found[TUNED]["accuracy"] > 0.8 and found[TUNED]["regret"] == 0
    assert found["loss on text"]["regret"] < 0.1 < found["tokens"]["blind_regret"]
    assert all(row["n_checkpoints"] == 16 and row["n_datasets"] == 4 for row in found.values())  # none without tokens
    assert all(
        -1 <= row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] <= 1 for row in found.values() for name in ENDS
    )


def test_after_the_last_planned_look_nothing_tells(telling):
    used = Settings(look=2, looks=1)
    skills = skills_of(telling, used)
    assert {row["says"] for row in as_entry(skills, used)["answers"]} == {NOTHING, MOST}
    assert row_of("run", skills.together[0], 0.0, used)["says"] == NOTHING  # however small p is
    assert row_of("run", skills.together[0], 0.0, Settings(look=1, looks=1))["says"] != NOTHING


def test_what_an_indicator_costs_is_a_share_of_tuning():
    found = told(tables(study(0)))
    tuning = 3 * 2 * 9000
    assert found["tokens"]["cost"] == 0 and found["short tuning (brief)"]["cost"] == pytest.approx(0.1)
    assert found["score, 0 shots"]["cost"] == pytest.approx(N_ITEMS * 10 / tuning)
    assert found["loss on text"]["cost"] == pytest.approx(500 / tuning)
    assert found["noise (init)"]["cost"] == pytest.approx(2 * 500 / tuning)


def test_the_sentence_names_what_tells_and_what_does_not(telling):
    said = as_entry(skills_of(telling, Settings()), Settings())["statement"]
    assert said.startswith("Share of pairs of checkpoints in the order of tuned scores: ") and "chance is 50 %" in said
    assert "Not distinguished from chance: " in said and "margin" in said and "picking blindly loses" in said
    items, measured, cells, _ = study(1, text="nothing", margin="nothing", methods=["full"], n=6)
    said = as_entry(skills_of(tables((items, measured, cells, [])), Settings()), Settings())["statement"]
    assert said.startswith("No indicator of an untouched checkpoint is shown to order pairs of checkpoints as tuning")


def test_an_item_is_in_one_half_and_counts_at_every_checkpoint_in_the_same():
    given = tables(study(0, n=3))
    models = halved(given.all_items, Settings())
    lists = models.filter(method="base", probe="a").sort("step")["scores"].to_list()
    whole = [np.mean(np.reshape(values, (2, N_HALVINGS)), axis=0) for values in lists]
    assert all(np.ptp(one) < 0.05 for one in whole)  # both halves together are all items, whichever the halving is
    again = halved([table.filter(pl.col("item").str.ends_with("7")) for table in given.all_items], Settings())
    assert again.height == models.height


def test_items_that_both_share_do_not_make_an_indicator():
    """Checkpoints are alike but for luck with items, which is the same before and after tuning."""
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        items, *rest = study(0, n=8, datasets=["a", "b", "c"], methods=["full"])
        luck = {(row["checkpoint"], row["item"]): float(rng.random() < 0.5) for row in items}
        lucky = [row | {"score": luck[row["checkpoint"], row["item"]]} if "score" in row else row for row in items]
        found.append(told(tables((lucky, *rest)))["score, 0 shots"]["accuracy"])
    assert abs(np.mean(found) - 0.5) < 0.1  # on the same items it would be 1


def test_validation_items_choose_what_picking_is_held_against():
    items, *rest = study(0, n=6, datasets=["a", "b", "c"], methods=["full"])

    # on validation items the first checkpoint is best, on test items the last
    def turned(row):
        if row.get("method") != "full" or "score" not in row:
            return row
        best = "step1" if row["split"] == "validation" else "step6"
        return row | {"score": float(row["checkpoint"] == best)}

    found = told(tables(([turned(row) for row in items], *rest)))
    assert found["tokens"]["regret"] == pytest.approx(-1.0)


def test_what_tells_decides_its_claim():
    expected = {
        "discrimination-tells": "supported",
        "short-tuning-tells": "supported",
        "text-loss-misleads": "reversed",
    }
    for name, got in verdicts(list(expected), range(2, 6)).items():
        assert got.count(expected[name]) >= 3 and set(got) <= {expected[name], "undecided"}, (name, got)


def test_what_does_not_tell_is_not_said_to():
    got = verdicts(["discrimination-tells", "text-loss-misleads"], range(2, 6), text="nothing", margin="nothing")
    assert "supported" not in got["discrimination-tells"] and "reversed" not in got["text-loss-misleads"]


def test_two_datasets_or_few_checkpoints_decide_nothing():
    two = judged("text-loss-misleads", tables(study(0, n=16, datasets=["a", "b"])))
    assert not two.tests and "2 datasets say nothing of datasets like these (at least 3). The loss on" in two.statement
    few = judged("text-loss-misleads", tables(study(0, n=3)))
    assert not few.tests and few.statement.startswith("Cannot be decided: 3 checkpoints are too few (at least 4)")
    assert two.effect is not None and few.effect is not None


def test_several_series_are_judged_together_and_each():
    given = tables(study(0), study(1, series="other"))
    rows = as_entry(skills_of(given, Settings()), Settings())["answers"]
    assert {row["series"] for row in rows} == {"all series", "run", "other"} and rows[0]["series"] == "all series"
    n = {row["series"]: row["n_checkpoints"] for row in rows if row["indicator"] == "loss on text"}
    assert n == {"all series": 20, "run": 10, "other": 10}


def test_what_was_not_measured_is_no_indicator_and_no_claim():
    items, measured, cells, _ = study(0, methods=["full"])
    measured = [row for row in measured if row["probe_kind"] != "text" and row["metric"] != "margin"]
    items = [{key: value for key, value in row.items() if key != "margin"} for row in items if "score" in row]
    given = tables((items, measured, cells, []))
    assert set(told(given)) == {"tokens", "pre-training rate", "score, 0 shots", "loss on answers", TUNED}
    assert not [name for name in ("text-loss-misleads", "discrimination-tells") if CLAIM_OF[name].form_for(given)]


def published(*, tells: bool, n=12) -> Tables:
    rng = np.random.default_rng(0)
    rows = []
    for dataset in DATASETS:
        good = rng.normal(size=n)
        for k in range(n):
            place = {"series": "s", "checkpoint": f"c{k}", "step": k + 1, "tokens": 10 * (k + 1), "phase": "stable"}
            asked = {
                "dataset": dataset,
                "probe": dataset,
                "probe_kind": "choice",
                "probe_format": "default",
                "shots": 4,
            }
            asked |= {"format": "default", "metric": "accuracy", "is_primary": True, "split": "test", "suite": "x"}
            before = 0.5 + 0.05 * (good[k] if tells else rng.normal())
            rows += [place | asked | {"method": "base", "value": before}]
            rows += [place | asked | {"method": "full", "value": 0.7 + 0.05 * good[k]}]
    return Tables.of(measurements=conform(rows, MEASUREMENTS).with_columns(is_chosen=True))


def test_published_tables_are_judged_with_what_they_lack():
    found = told(published(tells=True))
    assert set(found) == {"tokens", "score, 4 shots"}  # the tuned score is all that there is, and not a row
    assert found["score, 4 shots"]["says"] == TELLS and found["score, 4 shots"]["accuracy"] == 1.0
    assert told(published(tells=False))["score, 4 shots"]["says"] == NOTHING
    entry = as_entry(skills_of(published(tells=True), Settings()), Settings())
    assert "There are no items" in entry["caveats"][0]


def test_items_are_read_once_for_all_that_ask():
    given = tables(study(0, n=4, methods=["full"]))
    assert skills_of(given, Settings()) is skills_of(given, Settings())
