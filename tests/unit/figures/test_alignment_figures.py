"""Data and pictures of the figures on alignment, from planted tables."""

import polars as pl
import pytest
from aligned_studies import Truth, planted
from overtrained import SETTINGS

from ripeness.figures import chain, proxy_and_truth
from ripeness.findings.study_tables import Tables

TRUTH = Truth(n=4, datasets=2, seeds=2, noise=0.0)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return planted(TRUTH)


@pytest.mark.parametrize("figure", [chain.FIGURE, proxy_and_truth.FIGURE], ids=lambda figure: figure.id)
def test_every_figure_is_valid_and_does_not_depend_on_the_order_of_rows(tables, figure):
    frame = figure.frame(tables, SETTINGS)
    figure.chart(frame).to_dict(validate=True)
    assert len(figure.says(frame)) > 20
    mixed = {name: getattr(tables, name).sample(fraction=1, shuffle=True, seed=1) for name in ("measurements", "cells")}
    assert figure.frame(Tables.of(**mixed), SETTINGS).equals(frame)


def test_every_stage_stands_above_the_untouched_checkpoint_by_what_it_forgot(tables):
    last = chain.frame(tables, SETTINGS).filter(checkpoint="step3", dataset="set0")
    values = dict(last.select("method", "value").iter_rows())
    assert values == pytest.approx(
        {"base": 2.0, "sft": 2.5, "dpo": 2.6, "grpo": 2.6, "grpo-rm": 2.6, "grpo-after-dpo": 2.7, "grpo-alone": 2.1}
    )
    assert "rm" not in values  # it says no words
    assert (last["low"].is_null() == (last["method"] == "base")).all()


def test_a_policy_stands_above_its_start_by_what_the_rule_gives_it_more(tables):
    frame = proxy_and_truth.frame(tables, SETTINGS).filter(checkpoint="step0", dataset="set1")
    assert dict(frame.select("method", "value").iter_rows()) == pytest.approx(
        {"base": 0.1, "grpo-alone": 0.3, "sft": 0.3, "grpo": 0.5, "grpo-rm": 0.4, "dpo": 0.3, "grpo-after-dpo": 0.5}
    )


def test_a_study_without_what_they_show_has_no_rows(tables):
    tuned = tables.cells.filter(method="sft")
    assert proxy_and_truth.frame(Tables.of(measurements=tables.measurements, cells=tuned), SETTINGS).is_empty()
    silent = tables.measurements.filter(pl.col("probe_kind") != "text")
    assert chain.frame(Tables.of(measurements=silent, cells=tables.cells), SETTINGS).is_empty()
