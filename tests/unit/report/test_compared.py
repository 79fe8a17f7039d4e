"""What is behind the numbers of the page: maps of pairs, the table of scores, the items that changed most."""

import json

import numpy as np
import polars as pl
import pytest

from ripeness.findings.finding import Settings
from ripeness.report.answers import Model, read_answers
from ripeness.report.embedded_values import embedded_values
from ripeness.report.item_contrasts import SAID, item_contrasts
from ripeness.report.pair_maps import MOST_CHECKPOINTS, pair_maps, spaced
from ripeness.report.score_table import ALL, markdown, score_table
from ripeness.tables.columns import EXAMPLES, write_table

LATE, EARLY = "step5859", "step0"


@pytest.fixture(scope="module")
def items(synthetic_study):
    return [part.lazy() for part in synthetic_study["items"].partition_by("series", "checkpoint")]


@pytest.fixture(scope="module")
def answers(items):
    return read_answers(items, 0)


def mean_score(items, checkpoint, method, probe):
    own = pl.concat(items).filter(
        pl.col("dataset") == probe, pl.col("format") == pl.col("probe_format"),
        checkpoint=checkpoint, method=method, probe=probe, shots=0,
    )  # fmt: skip
    return own.select(pl.col("score").mean()).collect().item()


def test_a_cell_of_a_map_is_the_difference_of_two_checkpoints(answers, items):
    maps = pair_maps(answers, Settings())
    (group,) = [one for one in maps["checkpoints"] if one["name"] == "full"]
    (found,) = [one for one in group["maps"] if one["dataset"] == "nursery-mood"]
    row = found["names"].index(LATE)
    cell = found["rows"][row]["cells"][found["names"].index(EARLY)]
    right = mean_score(items, LATE, "full", "nursery-mood") - mean_score(items, EARLY, "full", "nursery-mood")
    assert cell["effect"] == pytest.approx(right)
    assert cell["low"] < right < cell["high"] and cell["outcome"] == "won"
    assert found["rows"][row]["mean"] == pytest.approx(mean_score(items, LATE, "full", "nursery-mood"))
    # each pair is counted once as won and once as lost
    counts = [one["counts"] for one in found["rows"]]
    assert sum(one["won"] for one in counts) == sum(one["lost"] for one in counts)
    assert all(sum(one.values()) == len(found["names"]) - 1 for one in counts)


def test_methods_are_compared_at_each_checkpoint_the_last_first(answers):
    maps = pair_maps(answers, Settings())["methods"]
    assert maps[0]["name"] == "step5859-annealed" and {tuple(m["names"]) for m in maps[0]["maps"]} == {("full", "base")}


def test_of_many_checkpoints_the_last_is_shown():
    many = [("s", f"step{step}") for step in range(100)]
    assert len(spaced(many)) == MOST_CHECKPOINTS and spaced(many)[-1] == many[-1] and spaced(many)[0] == many[0]


def test_formats_stand_apart_and_their_mean_says_how_far_they_spread(synthetic_study, answers):
    table = score_table(synthetic_study["measurements"], answers, Settings())
    rows = {(row["panel"], row["model"], row["format"]): row["cells"] for row in table["rows"]}
    place = "nursery-mood", "tuned (full)"
    each = [rows[*place, name]["500k"]["value"] for name in ("default", "io", "instruct")]
    mean = rows[*place, ALL]["500k"]
    assert mean["value"] == pytest.approx(np.mean(each), abs=0.01)
    assert mean["text"].endswith(f"({min(each):.2f}–{max(each):.2f})")


def test_the_best_of_a_row_is_marked_and_what_is_clearly_worse_is_not(synthetic_study, answers):
    table = score_table(synthetic_study["measurements"], answers, Settings())
    row = next(r for r in table["rows"] if (r["panel"], r["format"], r["method"]) == ("nursery-questions", ALL, "full"))
    best = max(row["cells"].values(), key=lambda cell: cell["value"])
    assert best["mark"] == "best" and row["cells"]["0"]["mark"] == ""
    # without items ties follow from standard errors
    alone = score_table(synthetic_study["measurements"])
    assert not alone["is_paired"] and {c["mark"] for r in alone["rows"] for c in r["cells"].values()} == {
        "best", "tied", ""
    }  # fmt: skip
    assert f"**{best['text']}**" in markdown(table)


def test_items_that_changed_most_come_with_prompt_outputs_and_likelihoods(synthetic_study, tmp_path):
    rows = [
        {"item": f"nursery-mood-{n}", "cluster": "c", "prompt": f"film {n} was <b>", "target": " good", "gold": 0}
        for n in range(40)
    ]
    write_table(tmp_path / "test.parquet", rows, EXAMPLES)
    said = synthetic_study["items"].with_columns(prediction=pl.lit(" bad"), gold=pl.lit(" good"))
    answers = read_answers([part.lazy() for part in said.partition_by("series", "checkpoint")], 0)
    found = item_contrasts(answers, {("nursery-mood", "default"): tmp_path / "test.parquet"}, most_bytes=10**7)
    assert found["n"] == found["n_here"]
    first, second = Model("nursery", LATE, "base", "nursery-mood"), Model("nursery", LATE, "full", "nursery-mood")
    places = [found["models"].index(model) for model in (first, second)]
    entry = found["contrasts"][f"{places[0]} {places[1]} {found['names'].index('nursery-mood')}"]
    assert 0 < len(entry) <= 20
    item, form, seed, *values = entry[0]
    pairs = dict(zip(SAID, zip(values[::2], values[1::2], strict=True), strict=True))
    is_it = {
        "item": item,
        "probe_format": form,
        "format": form,
        "checkpoint": LATE,
        "probe": "nursery-mood",
        "shots": 0,
    }
    truth = said.filter(**is_it, dataset="nursery-mood")
    for place, method in enumerate(("base", "full")):
        row = truth.filter(method=method, seed=seed).row(0, named=True)
        assert pairs["score"][place] == row["score"] and pairs["output"][place] == " bad"
        assert pairs["logp_gold"][place] == pytest.approx(row["logp_gold"], abs=1e-4)
    assert abs(pairs["score"][1] - pairs["score"][0]) == 1
    asked = [key for key in found["prompts"] if key.startswith("nursery-mood default ")]
    assert asked and all(found["prompts"][key]["prompt"].startswith("film ") for key in asked)


def test_items_end_at_the_bytes_that_were_given_those_that_changed_most_first(answers):
    whole, some = (item_contrasts(answers, {}, most_bytes=size) for size in (10**7, 30_000))
    assert 0 < some["n_here"] < whole["n_here"] == whole["n"] == some["n"]
    assert len(json.dumps(some["contrasts"])) <= 30_000
    first = [next(iter(one["contrasts"].values())) for one in (some, whole)]
    assert first[0] == first[1]


def test_values_on_the_page_are_the_measurements_with_items_won_and_lost(synthetic_study, items):
    found = embedded_values(synthetic_study["measurements"], items)
    column = found["columns"]
    at = {name: found["names"].index(name) for name in ("nursery-mood", LATE, "full", "io")}
    place = next(
        n
        for n in range(found["n"])
        if (column["probe"][n], column["dataset"][n], column["checkpoint"][n], column["method"][n]) == (
            at["nursery-mood"], at["nursery-mood"], at[LATE], at["full"],
        )
        and column["format"][n] == column["probe_format"][n] == at["io"]
    )  # fmt: skip
    counts = [column[name][place] for name in ("won", "lost", "both", "neither")]
    assert sum(counts) == 40
    base = synthetic_study["measurements"].filter(
        checkpoint=LATE, method="base", probe="nursery-mood", probe_format="io", shots=0, metric="accuracy"
    )
    change = column["value"][place] - base["value"].mean()
    assert (counts[0] - counts[1]) / 40 == pytest.approx(change, abs=1e-3)


def test_a_study_without_items_has_no_maps():
    empty = read_answers([], 0)
    assert pair_maps(empty, Settings()) is None
    assert item_contrasts(empty, {}, most_bytes=1000)["n"] == 0
