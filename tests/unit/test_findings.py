"""Verdicts on studies whose truth is planted."""

import importlib.util
import json
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl
import pytest
from scipy import special

from ripeness.errors import UserError
from ripeness.files import read_json
from ripeness.findings import FINDINGS, all_findings, as_rows
from ripeness.paired_scores import folds, strata_of
from ripeness.score_matrices import Block, Point, Row, Scores, read_scores
from ripeness.tables import ITEM_SCORES, MEASUREMENTS, conform
from ripeness.verdicts import Finding, Settings, settings_from

PROGRAM = Path(__file__).parents[2] / "scripts" / "test_findings.py"  # its name is also that of this module
FAST = Settings(draws=200, permutations=50)
QUICK = Settings(draws=100, permutations=10)
FORMATS = ("default", "io")


@dataclass(frozen=True)
class World:
    """Truth of a study: expected scores of untouched and tuned models, and how much seeds and formats move them."""

    kinds: dict[str, str]
    base: dict[str, list[float]]  # by dataset, over checkpoints
    gain: dict[str, float]  # by dataset tuned on, on itself
    harm: dict[tuple[str, str], float]  # by kinds of the dataset tuned on and measured on
    format_effect: list[float] | None = None  # added to one format and taken from the other, over checkpoints
    seed_sd: float = 0.0
    n_items: int = 200
    n_seeds: int = 2


LEARNED, NEVER = [0.5, 0.5, 0.7, 0.9, 0.9, 0.9], [0.5] * 6
AMURO = World(
    kinds={"sentiment": "choice", "classes": "choice", "summary": "generation"},
    base={"sentiment": LEARNED, "classes": NEVER, "summary": [0.0, 0.0, 0.3, 0.7, 0.8, 0.8]},
    gain={"sentiment": 0.03, "classes": 0.4, "summary": 0.05},
    harm={("choice", "generation"): 0.4, ("generation", "choice"): 0.0, ("choice", "choice"): 0.0},
    format_effect=[0.0, 0.0, 0.2, 0.2, 0.0, 0.0],
)
NOTHING = World(
    kinds={"a": "choice", "b": "choice", "c": "choice", "d": "generation"},
    base={"a": [0.5] * 6, "b": [0.65] * 6, "c": [0.6] * 6, "d": [0.3] * 6},
    gain=dict.fromkeys("abcd", 0.1),
    harm={},
    format_effect=[0.05] * 6,
    seed_sd=0.05,
    n_items=60,
)


def simulate(world: World, seed: int) -> Scores:
    """Draw a study: items have a difficulty that all models share; a seed moves the expected score of a tuned model.

    A format moves tuned models, and untouched ones where there is something to move.
    """
    rng = np.random.default_rng(seed)
    points = [Point("run", f"step{k}", k, 1000 * 4**k if k else 0, "stable", 0) for k in range(6)]
    shift = {key: world.seed_sd * rng.standard_normal() for key in product(world.kinds, range(world.n_seeds), range(6))}
    blocks = {}
    for probe, kind in world.kinds.items():
        rows, expected = [], []
        for k, asked in product(range(6), FORMATS):
            effect = (1 if asked == "default" else -1) * (world.format_effect or [0.0] * 6)[k]
            base = world.base[probe][k]
            known = base > world.base[probe][0]
            rows.append(Row("run", f"step{k}", probe, asked, "base", 0, asked))
            expected.append(base + effect * known)
            for dataset, trained, number in product(world.kinds, FORMATS, range(world.n_seeds)):
                rows.append(Row("run", f"step{k}", dataset, trained, "full", number, asked))
                harm = world.harm.get((world.kinds[dataset], kind), 0.0)
                is_own = dataset == probe
                change = world.gain[dataset] if is_own else -harm
                expected.append(base + effect * (known or is_own) + change + shift[dataset, number, k])
        blocks[probe, "test"] = block(rng, probe, kind, rows, np.clip(expected, 0.0, 1.0), world.n_items)
    return Scores({"run": points}, blocks)


def block(rng, probe, kind, rows, expected, n_items) -> Block:
    noise = np.sqrt(0.5) * rng.standard_normal(n_items) + np.sqrt(0.5) * rng.standard_normal((len(rows), n_items))
    if kind == "choice":
        values = (noise < special.ndtri(expected)[:, None]).astype(float)
    else:
        values = np.clip(expected[:, None] + 0.15 * noise, 0.0, 1.0)
    return Block(probe, kind, rows, values, np.arange(n_items), np.arange(n_items) % 2)


def limits(world: World) -> pl.DataFrame:
    rows = [
        {"probe": probe, "probe_kind": kind, "chance": 0.5, "majority": 0.5}
        for probe, kind in world.kinds.items()
        if kind == "choice"
    ]
    return conform(rows, MEASUREMENTS).with_columns(suite=pl.lit("in-domain"), is_chosen=True)


def program():
    """Load the program's `main`."""
    spec = importlib.util.spec_from_file_location("test_findings_program", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def found(world: World, scores: Scores, settings: Settings = FAST) -> dict[str, Finding]:
    return {finding.id: finding for finding in all_findings(limits(world), scores, settings)}


def verdicts(world: World, seeds: range, finding: str) -> list[str]:
    return [FINDINGS[finding](limits(world), simulate(world, seed), FAST).verdict for seed in seeds]


def without(scores: Scores, drop) -> Scores:
    """Leave out the rows for which `drop` holds."""
    blocks = {}
    for key, one in scores.blocks.items():
        kept = [index for index, row in enumerate(one.rows) if not drop(row, one)]
        if kept:
            blocks[key] = replace(one, rows=[one.rows[index] for index in kept], values=one.values[kept])
    return Scores(scores.checkpoints, blocks, scores.n_learning_rates)


def as_items(scores: Scores) -> pl.DataFrame:
    """Write scores as the rows of the items table."""
    rows = []
    for (probe, split), one in scores.blocks.items():
        points = {point.checkpoint: point for point in scores.checkpoints["run"]}
        for row, values in zip(one.rows, one.values, strict=True):
            point = points[row.checkpoint]
            for item, value in enumerate(values.tolist()):
                is_choice = one.kind == "choice"
                rows.append(
                    row._asdict()
                    | {"step": point.step, "tokens": point.tokens, "phase": point.phase, "pretraining_seed": 0}
                    | {"probe": probe, "probe_kind": one.kind, "split": split, "shots": 0}
                    | {"item": f"{probe}-{item:03}", "cluster": f"{probe}-{item:03}", "gold": str(one.gold[item])}
                    | {"is_correct": bool(value) if is_choice else None, "rouge_l": None if is_choice else value}
                )
    return conform(rows, ITEM_SCORES).with_columns(suite=pl.lit("in-domain"), is_chosen=True)


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_planted_truth_is_supported(finding):
    n_items = 3000 if finding == "transfer-within-type" else 300  # that nothing changes takes more to show
    got = verdicts(replace(AMURO, n_items=n_items), range(8), finding)
    assert got.count("supported") >= 6
    assert "contradicted" not in got


def test_nothing_is_rarely_supported_or_contradicted():
    """In the long run 0.2 % and 0.3 % of verdicts; intervals of 95 % allow 2.5 % (4 of 160) each."""
    got = [one.verdict for seed in range(40) for one in found(NOTHING, simulate(NOTHING, seed), QUICK).values()]
    assert got.count("supported") <= 4
    assert got.count("contradicted") <= 4


@pytest.mark.parametrize(
    ("finding", "truth"),
    [
        ("learned-in-pretraining", {"base": {name: [0.5] * 6 for name in AMURO.kinds}}),
        ("gain-by-learning", {"gain": {"sentiment": 0.1, "classes": -0.2, "summary": 0.1}}),
        ("format-spread", {"format_effect": [0.0, 0.0, 0.0, 0.0, 0.2, 0.2]}),
        ("transfer-between-types", {"harm": {("choice", "generation"): -0.1, ("generation", "choice"): 0.2}}),
        ("transfer-within-type", {"harm": {("choice", "choice"): -0.4}}),  # later there is less left to gain
    ],
)
def test_the_opposite_truth_is_contradicted(finding, truth):
    world = replace(AMURO, **truth)
    if finding == "format-spread":
        world = replace(world, base={name: [0.3, 0.6, 0.6, 0.6, 0.6, 0.6] for name in world.kinds})
    got = verdicts(world, range(5), finding)
    assert got.count("contradicted") >= 4
    assert "supported" not in got


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


def test_the_gain_is_estimated_without_bias_where_noise_sorts_the_datasets():
    names = [f"d{number}" for number in range(6)]
    world = World(
        kinds=dict.fromkeys(names, "choice"),
        base={name: [0.5] * 3 + [0.6] * 3 for name in names},  # at the margin: chance alone decides the class
        gain=dict.fromkeys(names, 0.1),
        harm={},
        n_items=40,
        n_seeds=1,
    )
    effects = [
        finding.effect
        for seed in range(40)
        if (finding := FINDINGS["gain-by-learning"](limits(world), simulate(world, seed), QUICK)).effect is not None
    ]
    assert len(effects) > 25
    assert np.mean(effects) == pytest.approx(0.0, abs=0.025)


def test_the_interval_of_the_gain_covers_the_truth():
    world = replace(AMURO, format_effect=None, seed_sd=0.03)
    effects = [FINDINGS["gain-by-learning"](limits(world), simulate(world, seed), QUICK) for seed in range(40)]
    truth = 0.4 - (0.03 + 0.05) / 2
    assert np.mean([one.low <= truth <= one.high for one in effects]) >= 0.88
    assert np.mean([one.effect for one in effects]) == pytest.approx(truth, abs=0.02)


def test_no_headroom_is_named_as_a_caveat():
    finding = found(AMURO, simulate(AMURO, 0))["gain-by-learning"]
    assert any(caveat.startswith("Ceiling") for caveat in finding.caveats)


def test_at_the_floor_there_is_nothing_for_a_format_to_change():
    finding = found(AMURO, simulate(AMURO, 0))["format-spread"]
    assert any("at the floor" in caveat for caveat in finding.caveats)
    untouched = [row for row in finding.details if row["condition"] == "untouched" and row["dataset"] == "classes"]
    assert not any(row["is_off_floor"] for row in untouched)


def test_the_null_spread_stands_beside_every_spread():
    world = replace(AMURO, format_effect=None)
    rows = found(world, simulate(world, 0))["format-spread"].details
    assert np.mean([row["spread"] - row["null"] for row in rows]) == pytest.approx(0.0, abs=0.01)
    assert np.mean([row["spread"] > row["null_high"] for row in rows]) <= 0.15


def test_formats_that_never_differ_have_no_spread_and_no_trend():
    scores = simulate(AMURO, 0)
    for one in scores.blocks.values():
        first = {
            row._replace(probe_format="io"): index for index, row in enumerate(one.rows) if row.probe_format != "io"
        }
        for index, row in enumerate(one.rows):
            one.values[index] = one.values[first.get(row, index)]
    finding = found(AMURO, scores)["format-spread"]
    assert finding.verdict == "undecided"
    assert finding.effect == 0.0
    assert "tau with tokens undefined" in finding.statement


def test_nothing_can_be_lost_where_nothing_is_known():
    world = replace(AMURO, base=AMURO.base | {"summary": [0.3] * 6}, harm={("choice", "generation"): 0.3})
    finding = found(world, simulate(world, 0))["transfer-between-types"]
    assert finding.verdict == "undecided"
    assert finding.effect is None
    assert "nothing to lose" in finding.statement


def test_transfer_gives_difference_and_ratio_and_median():
    finding = found(AMURO, simulate(AMURO, 0))["transfer-between-types"]
    parts = {row["direction"]: row for row in finding.details if row["level"] == "direction"}
    harmed = parts["choice to generation"]
    assert harmed["effect"] == pytest.approx(-0.4, abs=0.05)
    assert harmed["ratio_mean"] < -0.4
    assert harmed["ratio_median"] < -0.4
    assert parts["generation to choice"]["low"] < 0 < parts["generation to choice"]["high"]


def test_what_is_carried_over_stands_with_the_pairs_that_gain_and_lose_most():
    world = replace(AMURO, harm={("choice", "choice"): 0.2})
    finding = found(world, simulate(world, 0))["transfer-within-type"]
    assert "by −0.2" in finding.statement and "from classes to sentiment" in finding.statement
    assert finding.low < finding.effect < finding.high
    assert {row["half"] for row in finding.details} == {"earlier", "later"}
    assert {(row["dataset"], row["probe"]) for row in finding.details} == {
        ("sentiment", "classes"),
        ("classes", "sentiment"),
    }


PARTIAL = {
    "no cells": lambda row, block: True,
    "untouched checkpoints only": lambda row, block: row.method != "base",
    "tuned models only": lambda row, block: row.method == "base",
    "one format": lambda row, block: row.format != "io" or row.probe_format != "io",
    "one dataset": lambda row, block: row.dataset != "classes" or block.probe != "classes",
    "no generation": lambda row, block: block.kind == "generation" or row.dataset == "summary",
    "no choice": lambda row, block: block.kind == "choice" or row.dataset != "summary",
    "one checkpoint": lambda row, block: row.checkpoint != "step3",
    "two checkpoints": lambda row, block: row.checkpoint not in ("step0", "step3"),
    "no first checkpoint": lambda row, block: row.checkpoint == "step0",
    "no transfer": lambda row, block: row.dataset != block.probe,
    "one dataset asked": lambda row, block: block.probe != "sentiment",
    "only transfer": lambda row, block: row.method == "full" and row.dataset == block.probe,
    "most cells missing": lambda row, block: crc32(repr(row).encode()) % 4 != 0 and row.method != "base",
    "untouched models missing at the end": lambda row, block: row.method == "base" and row.checkpoint > "step2",
    "one format asked for one dataset": lambda row, block: block.probe == "summary" and row.probe_format == "io",
    "seeds that differ by format": lambda row, block: (row.format == "io") == (row.seed == 1),
}


@pytest.mark.parametrize("drop", PARTIAL.values(), ids=PARTIAL)
def test_a_partial_study_is_undecided_with_a_reason_and_never_fails(drop, tmp_path):
    scores = without(simulate(replace(AMURO, n_items=40), 0), drop)
    for finding in found(AMURO, scores).values():
        assert finding.verdict in ("supported", "contradicted", "undecided")
        assert finding.statement
        if finding.effect is None and finding.verdict == "undecided":
            assert len(finding.statement) > 40
    json.dumps(as_rows(all_findings(limits(AMURO), scores, FAST)), allow_nan=False)


def test_what_a_partial_study_lacks_is_said():
    full = simulate(AMURO, 0)
    base_only = found(AMURO, without(full, PARTIAL["untouched checkpoints only"]))
    assert base_only["gain-by-learning"].statement.startswith("Cannot be decided: no model tuned by 'full'")
    one_format = found(AMURO, without(full, lambda row, block: row.probe_format == "io"))
    assert "two formats" in one_format["format-spread"].statement
    no_generation = found(AMURO, without(full, PARTIAL["no generation"]))
    assert "no model was tuned on one type" in no_generation["transfer-between-types"].statement
    few = found(AMURO, without(full, PARTIAL["two checkpoints"]))
    assert "4 untouched checkpoints" in few["learned-in-pretraining"].statement


def test_a_study_without_anything_is_undecided_throughout():
    got = all_findings(conform([], MEASUREMENTS), Scores(), FAST)
    assert [finding.verdict for finding in got] == ["undecided"] * len(FINDINGS)


def test_too_few_items_decide_nothing():
    world = replace(AMURO, n_items=12)
    assert {one.verdict for one in found(world, simulate(world, 0)).values()} == {"undecided"}


def test_the_floor_is_the_majority_of_the_items_where_nothing_else_is_known():
    finding = all_findings(conform([], MEASUREMENTS), simulate(AMURO, 0), FAST)[0]
    floors = {row["dataset"]: (row["floor_name"], row["floor"]) for row in finding.details}
    assert floors["classes"] == ("majority", pytest.approx(0.5))


def test_one_tuning_seed_is_said_to_be_one():
    world = replace(AMURO, n_seeds=1)
    finding = found(world, simulate(world, 0))["gain-by-learning"]
    assert finding.n_seeds == 1
    assert "one tuning seed" in finding.covers
    assert any("One tuning seed" in caveat for caveat in finding.caveats)


def test_missing_cells_are_counted():
    scores = without(
        simulate(AMURO, 0), lambda row, block: row.method == "full" and row[1:4] == ("step5", "classes", "io")
    )
    caveats = found(AMURO, scores)["gain-by-learning"].caveats
    assert any(caveat.startswith("2 of 36 tuned cells are missing") for caveat in caveats)


def test_an_annealed_checkpoint_is_left_out_of_the_trend():
    scores = simulate(AMURO, 0)
    points = [*scores.checkpoints["run"][:5], scores.checkpoints["run"][5]._replace(phase="annealed")]
    finding = found(AMURO, Scores({"run": points}, scores.blocks))["learned-in-pretraining"]
    assert finding.n_checkpoints == 5
    assert any("step5 left out" in caveat for caveat in finding.caveats)


def test_three_runs_are_an_axis_of_their_own():
    world = replace(AMURO, n_items=100)
    runs = {name: simulate(world, number) for number, name in enumerate(("first", "second", "third"))}
    blocks = {}
    for key in runs["first"].blocks:
        parts = [(name, scores.blocks[key]) for name, scores in runs.items()]
        rows = [row._replace(series=name) for name, part in parts for row in part.rows]
        blocks[key] = replace(parts[0][1], rows=rows, values=np.concatenate([part.values for _, part in parts]))
    points = {name: [p._replace(series=name) for p in scores.checkpoints["run"]] for name, scores in runs.items()}
    one, three = found(world, runs["first"], QUICK), found(world, Scores(points, blocks), QUICK)
    assert "3 pre-training runs" in three["gain-by-learning"].covers
    assert three["gain-by-learning"].effect == pytest.approx(one["gain-by-learning"].effect, abs=0.1)
    assert three["format-spread"].effect == pytest.approx(one["format-spread"].effect, abs=0.1)


def test_what_sorts_and_what_measures_share_no_item():
    for fold in (cut := folds(simulate(AMURO, 0), "classes", FAST)):
        assert not (fold.choose & fold.measure).any()
    assert np.array_equal(sum(fold.measure.astype(int) for fold in cut), np.ones(AMURO.n_items))


def test_validation_items_sort_where_they_were_measured():
    test, validation = simulate(AMURO, 0), simulate(AMURO, 1)
    blocks = test.blocks | {(probe, "validation"): one for (probe, _), one in validation.blocks.items()}
    (fold,) = folds(Scores(test.checkpoints, blocks), "classes", FAST)
    assert fold.split == "validation"
    assert fold.measure.all()
    assert found(AMURO, Scores(test.checkpoints, blocks))["gain-by-learning"].verdict == "supported"


def test_items_are_redrawn_within_gold_answers_unless_they_come_in_clusters():
    one = simulate(AMURO, 0).blocks["classes", "test"]
    assert np.array_equal(strata_of(one), one.gold)
    assert not strata_of(replace(one, clusters=one.clusters // 2)).any()
    assert not strata_of(replace(one, gold=np.arange(AMURO.n_items))).any()


def read(items: pl.DataFrame, folder: Path, by: list[str]) -> Scores:
    """Read a table of items that is cut into files by some columns."""
    (folder / "matrices").mkdir(parents=True)
    for number, part in enumerate(items.partition_by(by) if by else [items]):
        part.write_parquet(folder / f"{number}.parquet")
    return read_scores([folder], FAST, folder / "matrices")


@pytest.mark.parametrize("by", [[], ["checkpoint"], ["seed", "probe"]], ids=["whole", "by checkpoint", "by cell"])
def test_tables_of_items_give_the_same_scores_in_any_order_and_in_any_number_of_files(by, tmp_path):
    scores = simulate(replace(AMURO, n_items=8), 0)
    read_back = read(as_items(scores).sample(fraction=1.0, shuffle=True, seed=1), tmp_path, by)
    assert read_back.blocks.keys() == scores.blocks.keys()
    for key, block_ in read_back.blocks.items():
        place = {row: index for index, row in enumerate(scores.blocks[key].rows)}
        assert sorted(place) == block_.rows
        everything = block_.values[list(range(len(place)))]
        assert np.array_equal(everything, scores.blocks[key].values[[place[row] for row in block_.rows]])
        assert np.array_equal(block_.gold, scores.blocks[key].gold)
    assert read_back.checkpoints == scores.checkpoints


def test_an_item_that_was_not_asked_is_not_a_number_and_rates_are_averaged(tmp_path):
    items = as_items(simulate(replace(AMURO, n_items=4), 0))
    lost = (pl.col("checkpoint") == "step3") & (pl.col("item") == "classes-001")
    other = items.filter(method="full", probe="classes").with_columns(learning_rate=1.0, is_correct=True)
    scores = read(pl.concat([items.filter(~lost), other.filter(~lost)]), tmp_path, ["checkpoint"])
    block_ = scores.blocks["classes", "test"]
    values = block_.values[list(range(len(block_.rows)))]
    assert [row.checkpoint == "step3" for row in block_.rows] == np.isnan(values[:, 1]).tolist()
    assert not np.isnan(values[:, [0, 2, 3]]).any()
    assert set(np.unique(values[[row.method == "full" for row in block_.rows]][:, 0])) <= {0.5, 1.0}
    assert scores.n_learning_rates == 2


def test_a_table_without_choices_and_texts_gives_no_scores(tmp_path):
    scores = read(as_items(simulate(replace(AMURO, n_items=4), 0)).head(0), tmp_path, [])
    assert (scores.checkpoints, scores.blocks) == ({}, {})


def test_findings_from_files_are_those_from_memory(tmp_path):
    world = replace(AMURO, n_items=24, n_seeds=3)
    scores = simulate(world, 0)
    here, there = found(world, scores, QUICK), found(world, read(as_items(scores), tmp_path, ["checkpoint"]), QUICK)
    for name, finding in here.items():
        assert there[name].statement == finding.statement
        assert there[name].caveats == finding.caveats
        assert [there[name].low, there[name].high] == pytest.approx([finding.low, finding.high], abs=1e-9)


def test_checkpoints_of_the_same_step_are_always_in_the_same_order(tmp_path):
    items = as_items(simulate(replace(AMURO, n_items=4), 0)).filter(checkpoint="step3")
    names = ["step3", "step3-annealed", "step3-b"]
    items = pl.concat([items.with_columns(checkpoint=pl.lit(name)) for name in names[::-1]])
    assert [point.checkpoint for point in read(items, tmp_path, []).checkpoints["run"]] == names


def test_the_program_writes_the_same_findings_twice_and_reads_only_what_was_chosen(tmp_path):
    world = replace(AMURO, n_items=24)
    items = as_items(simulate(world, 0))
    # what was not chosen, or what was chosen on, would turn every finding round
    wrong = items.with_columns(pl.col("is_correct").not_(), rouge_l=1 - pl.col("rouge_l"))
    more = [items, wrong.with_columns(is_chosen=False), wrong.with_columns(suite=pl.lit("validation"))]
    limits(world).write_parquet(tmp_path / "measurements.parquet")
    written = []
    for name, table in (("one", items), ("two", items), ("more", pl.concat(more))):
        (tmp_path / name / "run").mkdir(parents=True)
        for (checkpoint,), part in table.partition_by("checkpoint", as_dict=True).items():
            part.write_parquet(tmp_path / name / "run" / f"{checkpoint}.parquet")
        arguments = {"--measurements": tmp_path / "measurements.parquet", "--items": tmp_path / name}
        arguments |= {"--output": tmp_path / f"{name}.json", "--settings": '{"draws": 200, "smallest_effect": 0.02}'}
        program()([str(word) for pair in arguments.items() for word in pair])
        written.append((tmp_path / f"{name}.json").read_text())
    assert written[0] == written[1] == written[2]
    findings = read_json(tmp_path / "one.json")
    assert [finding["id"] for finding in findings] == list(FINDINGS)
    assert findings[1]["details"][0]["level"] == "groups"
    assert all(finding["p_holm"] >= finding["p_value"] for finding in findings if finding["p_value"] is not None)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        program()(["--measurements", str(tmp_path / "m"), "--items", "x", "--output", str(tmp_path / "o")])


def test_an_unknown_setting_is_named_with_the_choices():
    with pytest.raises(UserError, match="unknown key 'smalest_effect'; known are smallest_effect"):
        settings_from({"smalest_effect": 0.1})


def test_another_method_is_tested_where_full_was_not_measured():
    scores = simulate(AMURO, 0)
    blocks = {
        key: replace(one, rows=[r._replace(method="lora") if r.method == "full" else r for r in one.rows])
        for key, one in scores.blocks.items()
    }
    finding = found(AMURO, Scores(scores.checkpoints, blocks))["gain-by-learning"]
    assert finding.verdict == "supported"
    assert any("'lora'" in caveat for caveat in finding.caveats)
