"""Figures: their data are what they say, and every chart is valid Vega-Lite."""

import json
import math
from dataclasses import replace

import polars as pl
import pytest
from synthetic import GROUPS

from plot_figure import main, picture, statements
from ripeness.figures import frames, panels
from ripeness.figures.charts import FIGURES, specification
from ripeness.runtime.errors import UserError
from ripeness.tables import intervals


def findings_of(study: dict[str, pl.DataFrame]) -> list[dict]:
    details = [row | {"series": series} for series in sorted(set(study["cells"]["series"])) for row in GROUPS]
    return [{"id": "gain-by-learning", "details": [*details, {"level": "dataset"}]}, {"id": "another", "details": []}]


def frame_of(name: str, study: dict[str, pl.DataFrame]) -> pl.DataFrame:
    figure = FIGURES[name]
    if figure.uses_findings:
        return figure.data(findings_of(study))
    items = [part.lazy() for part in study["items"].partition_by("series", "checkpoint")]
    return figure.data(study["measurements"], study["cells"], *([items] if figure.uses_items else []))


def rows(values: list[float], *, se: float = 0.05) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "probe": "a",
            "seed": range(len(values)),
            "value": values,
            "se": se,
            "n_items": 100,
            "chance": 0.5,
            "majority": 0.5,
        }
    )


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_valid_vega_lite_and_has_rows(name, synthetic_study):
    frame = frame_of(name, synthetic_study)
    assert frame.height > 0
    FIGURES[name].chart(frame).to_dict()  # checks itself against the schema of Vega-Lite


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_the_same_whatever_the_order_of_the_rows(name, synthetic_study):
    shuffled = {table: frame.sample(fraction=1, shuffle=True, seed=1) for table, frame in synthetic_study.items()}
    assert frame_of(name, shuffled).equals(frame_of(name, synthetic_study))


def test_several_series_stand_in_panels_of_their_own(synthetic_study):
    second = {
        name: pl.concat([frame, frame.with_columns(pl.lit("other").alias("series"))])
        for name, frame in synthetic_study.items()
    }
    for name, figure in FIGURES.items():
        frame = frame_of(name, second)
        assert set(frame["panel"].str.split(": ").list.first()) == {"nursery", "other"}
        figure.chart(frame).to_dict()


def test_averaging_over_seeds_keeps_the_variance_of_items_and_adds_that_of_seeds():
    pooled = intervals.pooled(rows([0.4, 0.6]), ["probe"]).row(0, named=True)
    assert pooled["value"] == pytest.approx(0.5)
    assert pooled["item_variance"] == pytest.approx(0.05**2)
    assert pooled["seed_variance"] == pytest.approx(0.02 / 2)  # the variance of 0.4 and 0.6 is 0.02
    assert pooled["n_seeds"] == 2


def test_one_seed_has_no_variance_between_seeds():
    assert intervals.pooled(rows([0.4]), ["probe"])["seed_variance"].to_list() == [0.0]


def test_interval_of_a_share_is_wilsons():
    # 40 of 100: Wilson (1927) gives 0.3094 to 0.4980
    frame = intervals.pooled(rows([0.4], se=math.sqrt(0.4 * 0.6 / 100)), ["probe"])
    low, high = intervals.with_interval(frame, is_share=True).select("low", "high").row(0)
    assert (low, high) == pytest.approx((0.3094, 0.4980), abs=1e-4)


def test_interval_does_not_vanish_where_every_item_is_right():
    frame = intervals.with_interval(intervals.pooled(rows([1.0], se=0.0), ["probe"]), is_share=True)
    low, high = frame.select("low", "high").row(0)
    assert low == pytest.approx(0.963, abs=1e-3)  # 100 of 100
    assert high == pytest.approx(1.0)


@pytest.mark.parametrize("value", [1e-10, 0.27])
def test_interval_is_bounded_where_all_items_score_the_same(value):
    frame = intervals.with_interval(intervals.pooled(rows([value], se=0.0), ["probe"]), is_share=True)
    low, high = frame.select("low", "high").row(0)
    assert low <= value < high < value + 0.05


@pytest.mark.parametrize("name", ["gain", "transfer"])
def test_items_may_come_in_one_table_or_one_a_checkpoint(name, synthetic_study):
    whole = FIGURES[name].data(
        *(synthetic_study[table] for table in ("measurements", "cells")), [synthetic_study["items"].lazy()]
    )
    assert frame_of(name, synthetic_study).equals(whole)


def test_a_study_may_have_more_cells_than_altair_takes_by_itself(synthetic_study):
    cells = pl.concat([synthetic_study["cells"].with_columns(seed=pl.lit(seed, pl.Int64)) for seed in range(16)])
    assert cells.height > 5000
    frame = frames.availability(synthetic_study["measurements"], cells)
    spec = specification(FIGURES["availability"].chart(frame), title="t", subtitle=[])
    assert max(len(rows) for rows in spec["datasets"].values()) > 5000


def test_gain_is_tuned_minus_untouched_of_the_same_format(synthetic_study):
    frame = frame_of("gain", synthetic_study)
    point = (pl.col("checkpoint") == "step1953") & (pl.col("panel") == "nursery-mood") & (pl.col("format") == "io")
    change, level = (frame.filter(point, pl.col("row") == row) for row in ("change in score", "score"))
    scores = dict(zip(level["method"], level["value"], strict=True))
    assert change["value"].item() == pytest.approx(scores["full"] - scores["base"], abs=2e-5)


def test_pairing_by_item_makes_intervals_of_gain_narrower_on_paired_data(synthetic_study):
    tables = synthetic_study["measurements"], synthetic_study["cells"]
    change = pl.col("row") == "change in score"
    items = [part.lazy() for part in synthetic_study["items"].partition_by("checkpoint")]
    paired = frames.gain(*tables, items).filter(change)
    independent = frames.gain(*tables).filter(change)
    assert set(paired["items"]) == {"paired"} and set(independent["items"]) == {"independent"}
    widths = [(frame["high"] - frame["low"]).mean() for frame in (paired, independent)]
    assert widths[0] < 0.9 * widths[1]
    assert paired["value"].to_list() == pytest.approx(independent["value"].to_list())


def test_paired_variance_is_that_of_a_mean_of_clusters():
    shared = {"series": "s", "checkpoint": "c", "probe": "p", "probe_format": "io", "probe_kind": "choice"}
    shared |= {"shots": 0, "split": "test", "rouge_l": None, "dataset": "p", "format": "io", "seed": 1}
    gains = {"a": (0, 1), "b": (0, 1), "c": (0, 0), "d": (1, 1)}  # items a and b share a passage
    items = pl.DataFrame(
        [
            shared
            | {"method": method, "item": item, "cluster": "ab" if item in "ab" else item, "is_correct": bool(value)}
            for item, pair in gains.items()
            for method, value in zip(("base", "full"), pair, strict=True)
        ]
    )
    # differences 1, 1, 0, 0 with mean 0.5: cluster sums of deviations 1, -0.5, -0.5; 1.5 / 16 * 3 / 2
    assert intervals.paired_variance([items.lazy()], ["series"])["paired_variance"].item() == pytest.approx(
        1.5 / 16 * 1.5
    )


def test_spread_is_highest_minus_lowest_format(synthetic_study):
    frame = frame_of("format-spread", synthetic_study).filter(
        pl.col("checkpoint") == "step1953", pl.col("panel") == "nursery-summary", pl.col("method") == "full"
    )
    matrix = frame.filter(pl.col("row") == "matrix")
    by_trained = matrix.group_by("format").agg(pl.col("value").max() - pl.col("value").min())
    # the two seeds of the invented summaries do not differ enough to change the order of formats
    assert frame.filter(pl.col("row") == "spread")["value"].item() == pytest.approx(
        by_trained["value"].mean(), abs=0.01
    )


def test_transfer_leaves_out_formats_that_the_model_was_not_trained_in_on_its_own_dataset(synthetic_study):
    gain = frame_of("gain", synthetic_study).filter(pl.col("format") == "all", pl.col("row") == "change in score")
    own = frame_of("transfer", synthetic_study).filter(pl.col("dataset") == pl.col("probe"))
    assert own["value"].to_list() == pytest.approx(gain["value"].to_list())


def test_diverged_and_missing_cells_are_shown(synthetic_study):
    frame = frame_of("availability", synthetic_study)
    assert frame.height == synthetic_study["cells"].filter(pl.col("format") != "text").height
    assert set(frame["status"]) == {"done", "diverged", "missing"}


def test_axis_of_tokens_shows_zero_and_labels_it():
    axis = panels.tokens_axis(pl.Series("tokens", [0, 62_464, 5_999_616])).to_dict()
    assert axis["scale"]["type"] == "symlog" and axis["scale"]["constant"] == pytest.approx(62_464 / 3)
    assert axis["axis"]["values"][0] == 0
    assert panels.tokens_axis(pl.Series("tokens", [10**9, 10**12])).to_dict()["scale"]["type"] == "log"


def test_annealed_checkpoint_has_another_mark_and_no_line(synthetic_study):
    frame = frame_of("learned-in-pretraining", synthetic_study)
    assert set(frame.filter("is_alone")["label"]) == {"6M annealed"}
    text = json.dumps(FIGURES["learned-in-pretraining"].chart(frame).to_dict(validate=False))
    assert '"diamond"' in text and "datum.is_alone" in text


def test_a_name_has_the_same_colour_in_every_figure_and_unknown_ones_get_a_spare():
    scale = panels.colours(pl.Series("method", ["zeta", "full", "base"]), panels.METHOD_COLOURS).to_dict()["scale"]
    assert scale["domain"] == ["base", "full", "zeta"]
    assert scale["range"][:2] == [panels.METHOD_COLOURS["base"], panels.METHOD_COLOURS["full"]]
    assert scale["range"][2] in panels.SPARE_COLOURS


def test_no_two_meanings_share_a_colour():
    known = [*panels.METHOD_COLOURS.values(), *panels.FORMAT_COLOURS.values(), *panels.SPARE_COLOURS]
    assert len(set(known)) == len(known)


@pytest.mark.parametrize(("tokens", "text"), [(0, "0"), (61_440, "61k"), (2_560_000, "2.6M"), (3 * 10**12, "3T")])
def test_tokens_are_written_shortly(tokens, text):
    assert frames.human(tokens) == text


def test_specification_leaves_out_columns_that_nothing_names(synthetic_study):
    frame = frame_of("gain", synthetic_study)
    spec = specification(FIGURES["gain"].chart(frame), title="t", subtitle=["a finding"])
    names = {name for table in spec["datasets"].values() for row in table for name in row}
    assert {"value", "low", "high", "n_items"} <= names < set(frame.columns)
    assert spec["title"] == {"text": "t", "subtitle": ["a finding"]}


def test_study_with_base_only_has_figures(synthetic_study):
    base = synthetic_study | {
        name: synthetic_study[name].filter(pl.col("method") == "base") for name in ("measurements", "cells", "items")
    }
    for name in ("availability", "learned-in-pretraining", "gain", "format-spread"):
        FIGURES[name].chart(frame_of(name, base)).to_dict()
    assert frame_of("transfer", base).is_empty()


def test_program_writes_specification_picture_and_data(synthetic_folder, tmp_path):
    out = {kind: tmp_path / f"gain.{kind}" for kind in ("json", "svg", "csv")}
    main(
        [
            *("--figure", "gain", "--measurements", str(synthetic_folder / "measurements.parquet")),
            *("--cells", str(synthetic_folder / "cells.parquet"), "--items", str(synthetic_folder / "items")),
            *("--findings", str(synthetic_folder / "findings.json"), "--output-spec", str(out["json"])),
            *("--output-svg", str(out["svg"]), "--output-csv", str(out["csv"])),
        ]
    )
    assert json.loads(out["json"].read_text())["title"]["subtitle"] == ["contradicted: What was measured on gain."]
    assert out["svg"].read_text().startswith("<svg")
    assert {"value", "low", "high", "n_seeds"} <= set(pl.read_csv(out["csv"]).columns)


def test_figure_without_measurements_says_so(synthetic_study, tmp_path):
    empty = synthetic_study["measurements"].clear()
    empty.write_parquet(tmp_path / "m.parquet")
    synthetic_study["cells"].write_parquet(tmp_path / "c.parquet")
    main(
        [
            *("--figure", "transfer", "--measurements", str(tmp_path / "m.parquet")),
            *("--cells", str(tmp_path / "c.parquet"), "--output-spec", str(tmp_path / "x.json")),
            *("--output-svg", str(tmp_path / "x.svg"), "--output-csv", str(tmp_path / "x.csv")),
        ]
    )
    assert "no measurements" in (tmp_path / "x.svg").read_text()


def test_unknown_figure_is_an_error_that_names_the_known_ones(tmp_path):
    paths = [
        f"--{name}={tmp_path / name}" for name in ("measurements", "cells", "output-spec", "output-svg", "output-csv")
    ]
    with pytest.raises(UserError, match="(?s)unknown figure 'gains'; known are availability.*hint: "):
        main(["--figure", "gains", *paths])


def test_only_findings_of_the_figure_become_its_subtitle():
    findings = [{"figure": "gain", "verdict": "supported", "statement": "Yes."}, {"figure": "transfer"}]
    assert statements(findings, "gain") == ["supported: Yes."]


def test_picture_keeps_numbers_in_text_but_not_thousandths_of_pixels():
    spec = {
        "data": {"values": [{"a": "0.12345"}]},
        "mark": "text",
        "encoding": {"text": {"field": "a", "type": "nominal"}},
    }
    assert ">0.12345</text>" in picture(spec)


def test_figures_are_values_that_can_be_varied():
    assert replace(FIGURES["gain"], question="?").question == "?"


def test_gains_of_groups_stand_above_their_difference(synthetic_study):
    findings = findings_of(synthetic_study)
    findings[0]["details"][0] |= {"learned": None, "effect": None, "low": None, "high": None}
    frame = frames.gain_by_group(findings)
    first = frame.filter(checkpoint=findings[0]["details"][0]["checkpoint"])
    assert first.select("row", "group", "value").rows() == [("gain", "not learned", 0.1)]
    second = frame.filter(pl.col("checkpoint") == GROUPS[1]["checkpoint"], row="difference")
    assert second.select("value", "low", "high").rows() == [(-0.09, -0.19, 0.1)]
    assert frame.filter(row="gain")["low"].is_null().all()
    assert frames.gain_by_group([{"id": "gain-by-learning", "details": []}]).is_empty()
